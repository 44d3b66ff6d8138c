// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IStatusBar } from '@jupyterlab/statusbar';
import { ReactWidget, type LabIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { Signal, type ISignal } from '@lumino/signaling';
import * as React from 'react';

import { CommandIDs } from './commands';

/**
 * What an item of the status bar says.
 */
export interface IStatusWords {
  /** For styles: the button gets the class `jp-mod-` with this. */
  readonly state: string;

  /** The words. */
  readonly text: string;

  /** The tooltip. */
  readonly title: string;
}

/**
 * Something that is told in the status bar; a click opens the panel.
 */
export abstract class StatusItem extends ReactWidget {
  /**
   * Create an item.
   *
   * @param _commands - The application's commands
   * @param _icon - Stands before the words
   * @param _signals - Emitted when the words may be others, or are none any more
   */
  constructor(
    private readonly _commands: CommandRegistry,
    private readonly _icon: LabIcon,
    private readonly _signals: readonly ISignal<unknown, unknown>[]
  ) {
    super();
    this.addClass('jp-DotscienceStatusItem');
    for (const signal of _signals) {
      signal.connect(this._onChanged, this);
    }
  }

  /** Whether there is something to show. */
  get isActive(): boolean {
    return this.words() !== null;
  }

  /** Emitted when `isActive` changed. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  /** Put the item at the left of a status bar. */
  addTo(statusBar: IStatusBar, id: string, rank: number): void {
    statusBar.registerStatusItem(id, {
      item: this,
      align: 'left',
      rank,
      isActive: () => this.isActive,
      activeStateChanged: this.activeChanged
    });
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    for (const signal of this._signals) {
      signal.disconnect(this._onChanged, this);
    }
    Signal.clearData(this);
    super.dispose();
  }

  /** What it says now; null where there is nothing to show. */
  protected abstract words(): IStatusWords | null;

  protected render(): React.ReactElement | null {
    const words = this.words();
    if (!words) {
      return null;
    }
    const { state, text, title } = words;
    return (
      <button
        className={`jp-mod-${state}`}
        title={title}
        onClick={() => void this._commands.execute(CommandIDs.openPanel)}
      >
        <this._icon.react tag="span" stylesheet="statusBar" />
        <span>{text}</span>
      </button>
    );
  }

  private _onChanged(): void {
    const { isActive } = this;
    if (this._wasActive !== isActive) {
      this._wasActive = isActive;
      this._activeChanged.emit();
    }
    this.update();
  }

  private _activeChanged = new Signal<this, void>(this);
  private _wasActive = false;
}
