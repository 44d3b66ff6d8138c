// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';

import { compareIcon } from '../icons';
import { shortId } from '../run/format';
import type { CompareModel } from './model';
import type { ICompareActions } from './view';
import { CompareView } from './view';

/**
 * The content of a comparison's tab.
 */
export class CompareWidget extends VDomRenderer<CompareModel> {
  /**
   * Create the content of a tab.
   */
  constructor(options: CompareWidget.IOptions) {
    super(options.model);
    this._options = options;
    this.addClass('jp-DotscienceTab');
    this.addClass('jp-DotscienceCompare');
    this.node.tabIndex = 0;
    this.node.setAttribute('role', 'region');
    this.title.icon = compareIcon;
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
   * Render the comparison.
   */
  protected render(): JSX.Element {
    const { actions, themeManager, trans } = this._options;
    return (
      <CompareView
        model={this.model}
        actions={actions}
        themeManager={themeManager}
        trans={trans}
      />
    );
  }

  private _onStateChanged(): void {
    const { trans } = this._options;
    const { a, b } = this.model;
    this.title.label = trans.__(
      'Compare %1 with %2',
      shortId(a.run),
      shortId(b.run)
    );
    this.node.setAttribute('aria-label', this.title.label);
    this.title.caption = trans.__('A: %1\nB: %2', a.run, b.run);
  }

  private _options: CompareWidget.IOptions;
}

/**
 * A namespace for `CompareWidget` types.
 */
export namespace CompareWidget {
  /**
   * What a comparison widget needs.
   */
  export interface IOptions {
    /**
     * The two runs.
     */
    model: CompareModel;

    /**
     * What can be done elsewhere.
     */
    actions: ICompareActions;

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
