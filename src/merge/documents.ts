// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';

import { saveDocuments } from '../documents';

/** How many documents are named; the others are counted. */
const NAMED = 10;

/**
 * Save documents before a merge begins, if the user wants it.
 *
 * @returns Whether nothing is left unsaved
 */
export async function saveBefore(
  unsaved: DocumentRegistry.Context[],
  trans: TranslationBundle
): Promise<boolean> {
  if (unsaved.length === 0) {
    return true;
  }
  const answer = await showDialog({
    title: trans.__('Save before merging?'),
    body: trans.__(
      'Only what is saved can be merged. Not saved yet: %1',
      namesOf(unsaved, trans)
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Save and Merge') })
    ]
  });
  if (!answer.button.accept) {
    return false;
  }
  try {
    await saveDocuments(unsaved, trans);
    return true;
  } catch (reason) {
    Notification.error(
      trans.__(
        'The merge was not begun: %1',
        reason instanceof Error ? reason.message : String(reason)
      ),
      { autoClose: false }
    );
    return false;
  }
}

/**
 * Show what a merge wrote in the documents that are open; what was typed meanwhile stays.
 *
 * @param documents - The open documents of files that the merge wrote
 * @returns Those that were left as they are
 */
export async function showWritten(
  documents: DocumentRegistry.Context[]
): Promise<DocumentRegistry.Context[]> {
  const dirty = documents.filter(context => context.model.dirty);
  await Promise.all(
    documents
      .filter(context => !dirty.includes(context))
      .map(context =>
        context.revert().catch(() => {
          // the merge removed the file; its document stays as it was
        })
      )
  );
  return dirty;
}

/**
 * The names of documents, for a sentence.
 */
export function namesOf(
  documents: DocumentRegistry.Context[],
  trans: TranslationBundle
): string {
  const names = documents.map(context => PathExt.basename(context.path));
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED
    ? trans.__('%1 and %2 more', shown, names.length - NAMED)
    : shown;
}
