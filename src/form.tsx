// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

/**
 * Show a form in a dialog.
 *
 * @param value - What it comes to if nothing is changed
 * @param render - Draws the form, which tells of each change
 * @param words.accept - What stands on the button that takes it
 * @param words.focus - Where typing begins
 * @returns What was filled in, or null if the user did not want to
 */
export async function ask<T>(
  value: T,
  render: (onChange: (value: T) => void) => React.ReactElement,
  words: {
    title: string;
    accept: string;
    focus: string;
    trans: TranslationBundle;
  }
): Promise<T | null> {
  const form = ReactWidget.create(
    render(changed => {
      value = changed;
    })
  );
  form.addClass('jp-DotscienceForm');
  const { button } = await showDialog({
    title: words.title,
    body: form,
    buttons: [
      Dialog.cancelButton({ label: words.trans.__('Cancel') }),
      Dialog.okButton({ label: words.accept })
    ],
    focusNodeSelector: words.focus
  });
  return button.accept ? value : null;
}

/**
 * Why the last answer would not do; nothing where there was none.
 */
export function Problem(props: { text: string }): React.ReactElement | null {
  return props.text ? (
    <p className="jp-DotscienceForm-error" role="alert">
      {props.text}
    </p>
  ) : null;
}

/**
 * A line to type in, with its label.
 */
export function Field(
  props: React.InputHTMLAttributes<HTMLInputElement> & {
    label: string;
    onText: (text: string) => void;
  }
): React.ReactElement {
  const { className, label, onText, ...input } = props;
  return (
    <label>
      {label}
      <input
        {...input}
        className={`jp-mod-styled ${className ?? ''}`}
        onChange={event => onText(event.target.value)}
      />
    </label>
  );
}
