// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, MainAreaWidget, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Widget } from '@lumino/widgets';
import * as React from 'react';

import { TextButton } from '../run/components';

/**
 * Ask whether a file is to be brought back.
 *
 * @param tab - The tab that shows the difference; the question stands over it, so that all of it
 * can be looked at before it is answered. Without one a dialog asks.
 */
export async function ask(
  question: string,
  tab: Widget | null,
  trans: TranslationBundle
): Promise<boolean> {
  if (!(tab instanceof MainAreaWidget)) {
    const answer = await showDialog({
      title: trans.__('Bring the file back?'),
      body: question,
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.warnButton({ label: trans.__('Bring Back') })
      ],
      defaultButton: 0
    });
    return answer.button.accept;
  }
  return new Promise(resolve => {
    for (const old of tab.contentHeader.widgets.filter(isQuestion)) {
      old.dispose();
    }
    const bar = new Question({ question, trans, answer: resolve });
    tab.contentHeader.insertWidget(0, bar);
    bar.focusFirst();
  });
}

function isQuestion(widget: Widget): boolean {
  return widget instanceof Question;
}

/**
 * A question in a line over a tab; a tab that is closed answers it with no.
 */
class Question extends ReactWidget {
  /**
   * Create a question.
   */
  constructor(
    private readonly _options: {
      question: string;
      trans: TranslationBundle;
      answer: (yes: boolean) => void;
    }
  ) {
    super();
    const { question } = _options;
    this.addClass('jp-DotscienceQuestion');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', question);
  }

  /**
   * Dispose of the question; one that was not answered is answered with no.
   */
  dispose(): void {
    if (!this.isDisposed) {
      this._options.answer(false);
      super.dispose();
    }
  }

  /**
   * Bring the focus to the first button once it is drawn.
   */
  focusFirst(): void {
    void this.renderPromise?.then(() => {
      this.node.querySelector('button')?.focus();
    });
  }

  /**
   * Render the question.
   */
  protected render(): JSX.Element {
    const { answer, question, trans } = this._options;
    const close = (yes: boolean): void => {
      answer(yes);
      this.dispose();
    };
    return (
      <>
        <p>{question}</p>
        <TextButton onClick={() => close(false)}>
          {trans.__('Cancel')}
        </TextButton>
        <TextButton onClick={() => close(true)}>
          {trans.__('Bring Back')}
        </TextButton>
      </>
    );
  }
}
