// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { TabContent } from '../tab/content';
import type { HistoryModel } from './model';
import type { IHistoryActions } from './view';
import { HistoryView } from './view';

/**
 * The content of a history's tab.
 */
export class HistoryWidget extends TabContent<HistoryModel> {
  /**
   * Create the content of a tab.
   */
  constructor(options: HistoryWidget.IOptions) {
    const { model, trans } = options;
    super({
      model,
      className: 'jp-DotscienceHistory',
      icon: historyIcon,
      describe: () => ({
        label: trans.__('History of %1', PathExt.basename(model.file)),
        caption: trans.__('The versions of %1', model.file)
      })
    });
    this._options = options;
  }

  /**
   * Render the versions.
   */
  protected render(): JSX.Element {
    const { actions, trans } = this._options;
    return <HistoryView model={this.model} actions={actions} trans={trans} />;
  }

  private _options: HistoryWidget.IOptions;
}

/**
 * A namespace for `HistoryWidget` types.
 */
export namespace HistoryWidget {
  /** What a history widget needs. */
  export interface IOptions {
    /** The versions. */
    model: HistoryModel;

    /** What can be done elsewhere. */
    actions: IHistoryActions;

    /** The translations. */
    trans: TranslationBundle;
  }
}
