// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { Signal, type ISignal } from '@lumino/signaling';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { dotscienceIcon } from '../icons';
import type { IWorkspaceTracker } from '../tokens';
import { engineText, stateText } from './header';
import { useSignal } from './hooks';

/**
 * The committer's state in the status bar; a click opens the panel.
 */
export class StatusItem extends ReactWidget {
  /**
   * Create the item.
   *
   * @param tracker - Knows the state
   * @param commands - The application's commands
   * @param trans - The translation bundle
   */
  constructor(
    private readonly _tracker: IWorkspaceTracker,
    private readonly _commands: CommandRegistry,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-DotscienceStatusItem');
    _tracker.workspaceChanged.connect(this._onWorkspaceChanged, this);
  }

  /** Whether there is something to show; in a folder that is not tracked there is not. */
  get isActive(): boolean {
    return this._tracker.workspace !== null;
  }

  /** Emitted when `isActive` changed. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._tracker.workspaceChanged.disconnect(this._onWorkspaceChanged, this);
    Signal.clearData(this);
    super.dispose();
  }

  protected render(): React.ReactElement {
    return (
      <StatusButton
        tracker={this._tracker}
        trans={this._trans}
        onClick={() => void this._commands.execute(CommandIDs.openPanel)}
      />
    );
  }

  private _onWorkspaceChanged(): void {
    if (this._wasActive !== this.isActive) {
      this._wasActive = this.isActive;
      this._activeChanged.emit();
    }
  }

  private _activeChanged = new Signal<this, void>(this);
  private _wasActive = false;
}

function StatusButton(props: {
  tracker: IWorkspaceTracker;
  trans: TranslationBundle;
  onClick: () => void;
}): React.ReactElement {
  const { tracker, trans } = props;
  useSignal(tracker.statusChanged);
  useSignal(tracker.workspaceChanged);
  const isOffline = tracker.connection === 'offline';
  const text = isOffline
    ? trans.__('Server not reached')
    : stateText(tracker.status, trans);
  const state = isOffline ? 'error' : (tracker.status?.status ?? 'unknown');
  return (
    <button
      className={`jp-mod-${state}`}
      title={trans.__(
        '%1: %2. %3. Click to show the runs.',
        tracker.workspace?.name ?? '',
        text,
        tracker.workspace ? engineText(tracker.workspace, trans) : ''
      )}
      onClick={props.onClick}
    >
      <dotscienceIcon.react tag="span" stylesheet="statusBar" />
      <span>{text}</span>
    </button>
  );
}
