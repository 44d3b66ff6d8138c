// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { isShared, saveDocuments, setShared } from '../documents';
import { messageOf } from '../reason';

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
      trans.__('The merge was not begun: %1', messageOf(reason)),
      { autoClose: false }
    );
    return false;
  }
}

/**
 * Show what a merge wrote in the documents that are open; what was typed meanwhile stays.
 *
 * @param documents - The open documents of files that the merge wrote
 * @param read - Reads what a shared document is to hold; null leaves it as it is
 * @returns Those that were left as they are
 *
 * #### Notes
 * The file of a document that several people share is written from that document, so the document
 * itself is given what the merge wrote.
 */
export async function showWritten(
  documents: DocumentRegistry.Context[],
  read: (context: DocumentRegistry.Context) => Promise<Contents.IModel | null>
): Promise<DocumentRegistry.Context[]> {
  const dirty = documents.filter(context => context.model.dirty);
  await Promise.all(
    documents
      .filter(context => !dirty.includes(context))
      .map(context =>
        showOne(context, read).catch(() => {
          // the merge removed the file; its document stays as it was
        })
      )
  );
  return dirty;
}

async function showOne(
  context: DocumentRegistry.Context,
  read: (context: DocumentRegistry.Context) => Promise<Contents.IModel | null>
): Promise<void> {
  if (!isShared(context)) {
    await context.revert();
    return;
  }
  const file = await read(context);
  if (file !== null) {
    setShared(context, file);
    await context.save();
  }
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
