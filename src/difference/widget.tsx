// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { compareIcon } from '../icons';
import { TabContent } from '../tab/content';
import type { DifferenceModel } from './model';
import type { DifferenceOptions } from './options';
import type { IOutputParts } from './output';
import type { IDifferenceActions } from './view';
import { DifferenceView } from './view';

/**
 * The content of a tab of differences.
 */
export class DifferenceWidget extends TabContent<DifferenceModel> {
  /**
   * Create the content of a tab.
   */
  constructor(options: DifferenceWidget.IOptions) {
    const { model, trans } = options;
    super({
      model,
      className: 'jp-DotscienceDifference',
      icon: compareIcon,
      describe: () => {
        const { comparison } = model;
        const old = comparison?.old.label ?? model.old;
        const newer = comparison?.new.label ?? model.newer;
        return {
          label: trans.__('%1 → %2', short(old), short(newer)),
          caption: trans.__('Before: %1\nAfter: %2', old, newer)
        };
      }
    });
    this._options = options;
  }

  /**
   * Render the differences.
   */
  protected render(): JSX.Element {
    const { options, actions, parts, trans } = this._options;
    return (
      <DifferenceView
        model={this.model}
        options={options}
        actions={actions}
        parts={parts}
        trans={trans}
      />
    );
  }

  private _options: DifferenceWidget.IOptions;
}

function short(label: string): string {
  return label.length > 24 ? `${label.slice(0, 23)}…` : label;
}

/**
 * A namespace for `DifferenceWidget` types.
 */
export namespace DifferenceWidget {
  /**
   * What a widget needs.
   */
  export interface IOptions {
    /** What it shows. */
    model: DifferenceModel;

    /** How differences are shown. */
    options: DifferenceOptions;

    /** What can be done elsewhere. */
    actions: IDifferenceActions;

    /** What outputs are shown with. */
    parts: IOutputParts;

    /** The translations. */
    trans: TranslationBundle;
  }
}
