// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { dotscienceIcon } from '../icons';
import { type IPanelProps, Panel } from './body';
import { ErrorBoundary } from './boundary';

/**
 * The side panel.
 */
export class DotsciencePanel extends ReactWidget {
  /**
   * Create the panel.
   *
   * @param props - What it shows and works with; the panel owns the model from then on
   */
  constructor(private readonly _props: IPanelProps) {
    super();
    const { trans } = _props;
    this.id = DotsciencePanel.ID;
    this.addClass('jp-DotsciencePanel');
    this.title.icon = dotscienceIcon;
    this.title.caption = trans.__('Dotscience: runs of this workspace');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Dotscience'));
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._props.model.dispose();
    super.dispose();
  }

  protected render(): React.ReactElement {
    const { trans } = this._props;
    return (
      <ErrorBoundary trans={trans}>
        <Panel {...this._props} />
      </ErrorBoundary>
    );
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._props.model.isVisible = true;
  }

  protected onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this._props.model.isVisible = false;
  }

  protected onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._props.model.isVisible = this.isVisible;
  }

  protected onActivateRequest(msg: Message): void {
    const list = this.node.querySelector<HTMLElement>('.jp-DotscienceRuns');
    const first = this.node.querySelector<HTMLElement>(
      'button:not(:disabled), input:not(:disabled)'
    );
    (list ?? first)?.focus();
  }
}

/**
 * A namespace for `DotsciencePanel` statics.
 */
export namespace DotsciencePanel {
  /** The panel's id in the shell. */
  export const ID = 'dotscience-panel';
}
