// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { Signal, type ISignal } from '@lumino/signaling';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { hubIcon } from '../icons';
import { useSignal } from '../panel/hooks';
import type { IHubState } from '../tokens';
import { hubWords } from './words';

/**
 * How the workspace at hand and its hub stand, in the status bar; a click opens the panel.
 */
export class HubStatusItem extends ReactWidget {
  /**
   * Create the item.
   *
   * @param hub - Knows how they stand
   * @param commands - The application's commands
   * @param trans - The translation bundle
   */
  constructor(
    private readonly _hub: IHubState,
    private readonly _commands: CommandRegistry,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-DotscienceStatusItem');
    this.addClass('jp-DotscienceHubStatus');
    _hub.changed.connect(this._onChanged, this);
  }

  /** Whether there is something to show: not where nothing can be sent to a hub. */
  get isActive(): boolean {
    return this._hub.status?.supported ?? false;
  }

  /** Emitted when `isActive` changed. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._hub.changed.disconnect(this._onChanged, this);
    Signal.clearData(this);
    super.dispose();
  }

  protected render(): React.ReactElement {
    return (
      <StatusButton
        hub={this._hub}
        trans={this._trans}
        onClick={() => void this._commands.execute(CommandIDs.openPanel)}
      />
    );
  }

  private _onChanged(): void {
    if (this._wasActive !== this.isActive) {
      this._wasActive = this.isActive;
      this._activeChanged.emit();
    }
  }

  private _activeChanged = new Signal<this, void>(this);
  private _wasActive = false;
}

function StatusButton(props: {
  hub: IHubState;
  trans: TranslationBundle;
  onClick: () => void;
}): React.ReactElement | null {
  const { hub, trans } = props;
  useSignal(hub.changed);
  if (!hub.status) {
    return null;
  }
  const { detail, state, text } = hubWords(hub.status, trans);
  const name = hub.status.remote?.name;
  return (
    <button
      className={`jp-mod-${state}`}
      title={[name ? trans.__('%1: %2', name, text) : text, detail]
        .filter(Boolean)
        .join('\n')}
      onClick={props.onClick}
    >
      <hubIcon.react tag="span" stylesheet="statusBar" />
      <span>{text}</span>
    </button>
  );
}
