// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ApiClient } from '../api/client';
import type { RollbackResult, RunDetail } from '../api/schema';
import { showWhatIsThere } from '../documents';
import { withProgress } from '../progress';
import { tellFailure } from '../reason';
import { formatTime, runTitle, shortId } from './format';

/**
 * Make the files of a workspace what they were when a run was made, if the user wants it.
 *
 * @param options.root - Contents path of the workspace's root.
 * @param options.save - Saves the open documents of the workspace.
 * @param options.documents - The open documents of the workspace, which are read again afterwards.
 * @param options.read - Reads what a document is in a commit, for documents that are shared.
 * @returns What was done, or null if the user did not want it or it failed (which they were told).
 */
export async function goBack(options: {
  client: ApiClient;
  root: string;
  run: string;
  save: () => Promise<void>;
  documents: () => DocumentRegistry.Context[];
  read: (
    context: DocumentRegistry.Context,
    commit: string
  ) => Promise<Contents.IModel | null>;
  trans: TranslationBundle;
}): Promise<RollbackResult | null> {
  const { client, root, run, save, documents, read, trans } = options;
  let detail: RunDetail;
  let differing: number;
  try {
    detail = await client.run(root, run);
    const diff = await client.diff(root, 'HEAD', detail.commit, { limit: 1 });
    differing = diff.total;
  } catch (reason) {
    tellFailure(trans, trans.__('The run could not be read'), reason);
    return null;
  }
  if (!(await confirm(detail, differing, trans))) {
    return null;
  }
  let result: RollbackResult;
  try {
    result = await withProgress(
      trans.__('Going back to run %1…', shortId(run)),
      save().then(() => client.rollback(root, detail.commit))
    );
  } catch (reason) {
    tellFailure(
      trans,
      trans.__('Not gone back to run %1', shortId(run)),
      reason
    );
    return null;
  }
  await showWhatIsThere(documents(), trans, context =>
    read(context, detail.commit)
  );
  Notification.success(told(result, run, trans), { autoClose: 10000 });
  return result;
}

async function confirm(
  run: RunDetail,
  differing: number,
  trans: TranslationBundle
): Promise<boolean> {
  const differs = trans._n(
    'One file differs from the newest commit.',
    '%1 files differ from the newest commit.',
    differing
  );
  const answer = await showDialog({
    title: trans.__('Go back to run %1?', shortId(run.id)),
    body: [
      trans.__(
        'The files of this workspace become what they were on %1, when “%2” was recorded.',
        formatTime(run.created),
        runTitle(run, trans)
      ),
      differing > 0 ? differs : trans.__('Only what is not committed differs.'),
      trans.__(
        'Open documents are saved and everything is committed first, so nothing is lost: later commits stay. Kernels go on running, ignored files stay as they are.'
      )
    ].join(' '),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Go Back') })
    ],
    defaultButton: 0
  });
  return answer.button.accept;
}

function told(
  result: RollbackResult,
  run: string,
  trans: TranslationBundle
): string {
  if (!result.commit || !result.before) {
    return trans.__(
      'The files are as they were in run %1 already.',
      shortId(run)
    );
  }
  return trans.__(
    'Went back to run %1. What was there before is commit %2.',
    shortId(run),
    shortId(result.before.id)
  );
}
