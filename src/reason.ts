// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

/** What a failure says, whatever was thrown. */
export function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

/** A failure as an error, whatever was thrown. */
export function errorOf(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** Tell that something did not work, and why; it stays until it is closed. */
export function tellFailure(
  trans: TranslationBundle,
  what: string,
  reason: unknown
): void {
  Notification.error(trans.__('%1: %2', what, messageOf(reason)), {
    autoClose: false
  });
}
