// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { compareIcon } from '../icons';
import { shortId } from '../run/format';
import { TabContent } from '../tab/content';
import type { CompareModel } from './model';
import type { ICompareActions } from './view';
import { CompareView } from './view';

/**
 * The content of a comparison's tab.
 */
export class CompareWidget extends TabContent<CompareModel> {
  /**
   * Create the content of a tab.
   */
  constructor(options: CompareWidget.IOptions) {
    const { model, trans } = options;
    super({
      model,
      className: 'jp-DotscienceCompare',
      icon: compareIcon,
      describe: () => {
        const { a, b } = model;
        return {
          label: trans.__('Compare %1 with %2', shortId(a.run), shortId(b.run)),
          caption: trans.__('A: %1\nB: %2', a.run, b.run)
        };
      }
    });
    this._options = options;
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
