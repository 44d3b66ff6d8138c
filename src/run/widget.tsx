// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { runIcon } from '../icons';
import { TabContent } from '../tab/content';
import { runTitle, shortId } from './format';
import type { RunModel } from './model';
import type { IRunActions } from './view';
import { RunView } from './view';

/**
 * The content of a run's tab.
 */
export class RunWidget extends TabContent<RunModel> {
  /**
   * Create the content of a tab.
   */
  constructor(options: RunWidget.IOptions) {
    const { model, trans } = options;
    super({
      model,
      className: 'jp-DotscienceRun',
      icon: runIcon,
      describe: () => {
        const { detail, live, run, workspace } = model;
        const known = detail ?? live;
        return {
          label: known
            ? runTitle(known, trans)
            : trans.__('Run %1', shortId(run)),
          caption: trans.__('Run %1\nWorkspace: %2', run, workspace || '/')
        };
      }
    });
    this._options = options;
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
