// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import { hubIcon } from '../icons';
import { StatusItem, type IStatusWords } from '../statusitem';
import type { IHubState } from '../tokens';
import { hubWords } from './words';

/**
 * How the workspace at hand and its hub stand, in the status bar; nothing where nothing can be sent
 * to a hub.
 */
export class HubStatusItem extends StatusItem {
  /**
   * Create the item.
   *
   * @param _hub - Knows how they stand
   * @param commands - The application's commands
   * @param _trans - The translation bundle
   */
  constructor(
    private readonly _hub: IHubState,
    commands: CommandRegistry,
    private readonly _trans: TranslationBundle
  ) {
    super(commands, hubIcon, [_hub.changed]);
    this.addClass('jp-DotscienceHubStatus');
  }

  protected words(): IStatusWords | null {
    const { status } = this._hub;
    if (!status?.supported) {
      return null;
    }
    const { detail, state, text } = hubWords(status, this._trans);
    const name = status.remote?.name;
    const title = name ? this._trans.__('%1: %2', name, text) : text;
    return { state, text, title: detail ? `${title}\n${detail}` : title };
  }
}
