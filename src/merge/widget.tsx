// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IOutputParts } from '../difference/output';
import { mergeIcon } from '../icons';
import { TabContent } from '../tab/content';
import type { MergeModel } from './model';
import type { IMergeActions } from './view';
import { MergeView } from './view';

/**
 * The content of a merge's tab.
 */
export class MergeWidget extends TabContent<MergeModel> {
  /**
   * Create the content of a tab.
   */
  constructor(options: MergeWidget.IOptions) {
    const { model, trans } = options;
    super({
      model,
      className: 'jp-DotscienceMerge',
      icon: mergeIcon,
      describe: () => {
        const { merge, client } = model;
        return {
          label:
            merge && merge.conflicts > 0
              ? trans.__('Merge (%1)', merge.conflicts)
              : trans.__('Merge'),
          caption: merge
            ? trans.__(
                'Merge %1\nWorkspace: %2',
                merge.theirs.label,
                client.workspace || '/'
              )
            : trans.__('Workspace: %1', client.workspace || '/')
        };
      }
    });
    this._options = options;
  }

  /**
   * Render the merge.
   */
  protected render(): JSX.Element {
    const { actions, services, outputs, trans } = this._options;
    return (
      <MergeView
        model={this.model}
        actions={actions}
        services={services}
        outputs={outputs}
        trans={trans}
      />
    );
  }

  private _options: MergeWidget.IOptions;
}

/**
 * A namespace for `MergeWidget` types.
 */
export namespace MergeWidget {
  /**
   * What a widget needs.
   */
  export interface IOptions {
    /** What it shows. */
    model: MergeModel;

    /** What can be done elsewhere. */
    actions: IMergeActions;

    /** Editors. */
    services: IEditorServices;

    /** What outputs of cells are shown with. */
    outputs: IOutputParts;

    /** The translations. */
    trans: TranslationBundle;
  }
}
