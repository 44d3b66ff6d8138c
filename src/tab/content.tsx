// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { LabIcon } from '@jupyterlab/ui-components';
import { VDomRenderer } from '@jupyterlab/ui-components';

/**
 * The content of a tab of ours: a region that is drawn from a model and disposed of with it.
 */
export abstract class TabContent<
  T extends VDomRenderer.IModel
> extends VDomRenderer<T> {
  /**
   * Create the content of a tab.
   *
   * @param options - What it shows
   */
  constructor(options: TabContent.IOptions<T>) {
    super(options.model);
    this._describe = options.describe;
    this.addClass('jp-DotscienceTab');
    this.addClass(options.className);
    // keys scroll the tab, and leaving a dialog brings the focus back to it
    this.node.tabIndex = 0;
    this.node.setAttribute('role', 'region');
    this.title.icon = options.icon;
    this.title.closable = true;
    this.model.stateChanged.connect(this._onStateChanged, this);
    this._onStateChanged();
  }

  /**
   * Dispose of the content and its model.
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

  private _onStateChanged(): void {
    const { label, caption } = this._describe();
    this.title.label = label;
    this.title.caption = caption;
    this.node.setAttribute('aria-label', label);
  }

  private _describe: () => TabContent.ITitle;
}

/**
 * A namespace for `TabContent` types.
 */
export namespace TabContent {
  /**
   * How a tab is called.
   */
  export interface ITitle {
    /** Its name. */
    label: string;

    /** What is shown when the mouse rests on it. */
    caption: string;
  }

  /**
   * What the content of a tab needs.
   */
  export interface IOptions<T extends VDomRenderer.IModel> {
    /** What it shows; it is disposed of with the content. */
    model: T;

    /** A class of its own beside `jp-DotscienceTab`. */
    className: string;

    /** The tab's icon. */
    icon: LabIcon;

    /** Says how the tab is called as the model is now. */
    describe: () => ITitle;
  }
}
