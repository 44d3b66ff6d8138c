// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Menu } from '@lumino/widgets';
import * as React from 'react';

import type { Commit } from '../api/schema';
import { ErrorBoundary } from '../run/components';
import { TabContent } from '../tab/content';
import { commitActions } from './actions';
import type { CommitsModel } from './model';
import { CommitsView } from './view';

/**
 * The content of the tab of a workspace's commits.
 */
export class CommitsWidget extends TabContent<CommitsModel> {
  /**
   * Create the content of a tab.
   */
  constructor(options: CommitsWidget.IOptions) {
    const { model, name, trans } = options;
    super({
      model,
      className: 'jp-DotscienceCommits',
      icon: historyIcon,
      describe: () => ({
        label: trans.__('Commits'),
        caption: name
          ? trans.__('The commits of %1', name)
          : trans.__('The commits of this workspace')
      })
    });
    this._options = options;
    this._menu = new Menu({ commands: options.commands });
  }

  /**
   * Dispose of the content and its menu.
   */
  dispose(): void {
    if (!this.isDisposed) {
      this._menu.dispose();
    }
    super.dispose();
  }

  /**
   * Render the commits.
   */
  protected render(): JSX.Element {
    const { commands, trans } = this._options;
    return (
      <ErrorBoundary
        message={trans.__(
          'The commits cannot be shown; they are safe. Close the tab and open it again.'
        )}
      >
        <CommitsView
          model={this.model}
          commands={commands}
          trans={trans}
          onMenu={(commit, x, y) => this._open(commit, x, y)}
        />
      </ErrorBoundary>
    );
  }

  protected onActivateRequest(msg: Message): void {
    const list = this.node.querySelector<HTMLElement>('[role="listbox"]');
    (list ?? this.node).focus();
  }

  private _open(commit: Commit, x: number, y: number): void {
    const { commands } = this._options;
    this._menu.clearItems();
    for (const action of commitActions(
      commands,
      commit,
      this.model.workspace
    )) {
      this._menu.addItem(action);
    }
    this._menu.open(x, y);
  }

  private _menu: Menu;
  private _options: CommitsWidget.IOptions;
}

/**
 * A namespace for `CommitsWidget` types.
 */
export namespace CommitsWidget {
  /** What the widget needs. */
  export interface IOptions {
    /** The commits. */
    model: CommitsModel;

    /** The application's commands. */
    commands: CommandRegistry;

    /** What the workspace is called. */
    name: string;

    /** The translations. */
    trans: TranslationBundle;
  }
}
