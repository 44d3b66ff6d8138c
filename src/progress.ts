// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';

/** How long work may take before it is worth saying that it is under way, in ms. */
const PATIENCE = 500;

/** How long that is shown at least, in ms. */
const SHOWN = 1000;

/**
 * Say that something is under way for as long as it is; what came of it is for the caller to say.
 *
 * @param message - What is under way
 * @param work - What is waited for
 * @returns What the work comes to
 *
 * #### Notes
 * JupyterLab draws a notification some time after it was emitted, and an update that comes before
 * is lost: a spinner would stay for ever. So quick work shows none, and the outcome is a
 * notification of its own instead of an update.
 */
export async function withProgress<T>(
  message: string,
  work: Promise<T>
): Promise<T> {
  let id = '';
  let since = 0;
  const timer = window.setTimeout(() => {
    id = Notification.emit(message, 'in-progress', { autoClose: false });
    since = Date.now();
  }, PATIENCE);
  try {
    return await work;
  } finally {
    window.clearTimeout(timer);
    if (id) {
      const left = Math.max(0, since + SHOWN - Date.now());
      window.setTimeout(() => Notification.dismiss(id), left);
    }
  }
}
