// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { dotscienceIcon } from '../icons';
import { TabContent } from '../tab/content';
import type { ProvenanceModel } from './model';
import type { IProvenanceActions } from './sheet';
import { ProvenanceView } from './view';
import { startTitle } from './words';

/**
 * The content of a provenance tab.
 */
export class ProvenanceWidget extends TabContent<ProvenanceModel> {
  /**
   * Create the content of a tab.
   */
  constructor(options: ProvenanceWidget.IOptions) {
    const { model, trans } = options;
    super({
      model,
      className: 'jp-DotscienceProvenance',
      icon: dotscienceIcon,
      describe: () => {
        const label = startTitle(model.query.start, trans);
        return {
          label,
          caption: trans.__(
            '%1\nWorkspace: %2',
            model.query.start || label,
            model.workspace || '/'
          )
        };
      }
    });
    this._options = options;
  }

  /**
   * Let keys go to the drawing or the list at once.
   */
  protected onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    const { activeElement } = document;
    if (activeElement === this.node || !this.node.contains(activeElement)) {
      this.node
        .querySelector<HTMLElement>(
          '[role=application], [role=treeitem][tabindex="0"]'
        )
        ?.focus();
    }
  }

  /**
   * Render the graph.
   */
  protected render(): JSX.Element {
    const { actions, onExport, onLink, themeManager, trans } = this._options;
    return (
      <ProvenanceView
        model={this.model}
        actions={actions}
        onExport={onExport}
        onLink={onLink}
        themeManager={themeManager}
        trans={trans}
      />
    );
  }

  private _options: ProvenanceWidget.IOptions;
}

/**
 * A namespace for `ProvenanceWidget` types.
 */
export namespace ProvenanceWidget {
  /**
   * What a provenance widget needs.
   */
  export interface IOptions {
    /** The graph. */
    model: ProvenanceModel;

    /** What can be done elsewhere. */
    actions: IProvenanceActions;

    /** Asks, at a button, in which form to save the graph. */
    onExport: (place: HTMLElement) => void;

    /** Copy a link to the graph. */
    onLink: () => void;

    /** Tells when colours change, where there is one. */
    themeManager: IThemeManager | null;

    /** The translations. */
    trans: TranslationBundle;
  }
}
