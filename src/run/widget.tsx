// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';

import { runIcon } from '../icons';
import { runTitle, shortId } from './format';
import type { RunModel } from './model';
import type { IRunActions } from './view';
import { RunView } from './view';

/**
 * The content of a run's tab.
 */
export class RunWidget extends VDomRenderer<RunModel> {
  /**
   * Create the content of a tab.
   */
  constructor(options: RunWidget.IOptions) {
    super(options.model);
    this._options = options;
    this.addClass('jp-DotscienceTab');
    this.addClass('jp-DotscienceRun');
    // keys scroll the tab, and leaving a dialog brings the focus back to it
    this.node.tabIndex = 0;
    this.node.setAttribute('role', 'region');
    this.title.icon = runIcon;
    this.title.closable = true;
    this.model.stateChanged.connect(this._onStateChanged, this);
    this._onStateChanged();
  }

  /**
   * Dispose of the widget and its model.
   */
  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    const { model } = this;
    model.stateChanged.disconnect(this._onStateChanged, this);
    super.dispose();
    model.dispose();
  }

  /**
   * Render the run.
   */
  protected render(): JSX.Element {
    const { actions, themeManager, trans } = this._options;
    return (
      <RunView
        model={this.model}
        actions={actions}
        themeManager={themeManager}
        trans={trans}
      />
    );
  }

  private _onStateChanged(): void {
    const { trans } = this._options;
    const { detail, run, workspace } = this.model;
    this.title.label = detail
      ? runTitle(detail, trans)
      : trans.__('Run %1', shortId(run));
    this.node.setAttribute('aria-label', this.title.label);
    this.title.caption = trans.__(
      'Run %1\nWorkspace: %2',
      run,
      workspace || '/'
    );
  }

  private _options: RunWidget.IOptions;
}

/**
 * A namespace for `RunWidget` types.
 */
export namespace RunWidget {
  /**
   * What a run widget needs.
   */
  export interface IOptions {
    /**
     * The run.
     */
    model: RunModel;

    /**
     * What can be done elsewhere.
     */
    actions: IRunActions;

    /**
     * Tells when colours change, where there is one.
     */
    themeManager: IThemeManager | null;

    /**
     * The translations.
     */
    trans: TranslationBundle;
  }
}
