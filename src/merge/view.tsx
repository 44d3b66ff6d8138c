// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Conflict, Merge, MergeFile } from '../api/schema';
import { LazyScroll } from '../difference/lazy';
import { directionOf, goToChange } from '../difference/navigate';
import type { IOutputParts } from '../difference/output';
import { NOW } from '../difference/reader';
import { CopyLink } from '../links/button';
import {
  Empty,
  ErrorBoundary,
  Failure,
  TextButton,
  Waiting
} from '../run/components';
import { shortId } from '../run/format';
import type { IConflictParts } from './conflict';
import { DetailView } from './detail';
import type { MergeModel } from './model';

/** How many files are listed at first. */
const FILES = 300;

/**
 * What a tab of a merge can do elsewhere in the application.
 */
export interface IMergeActions {
  /** Begin a merge. */
  begin(): void;

  /** Write the result and commit it. */
  finish(description: string): void;

  /** Give the merge up, if the user means it. */
  abort(): void;

  /**
   * Write a file whose conflicts are marked in it as it is chosen, if the user means it.
   *
   * @param isEdited - Whether people edit the file to decide its conflicts
   */
  decide(path: string, choice: Conflict['choice'], isEdited: boolean): void;

  /** Open a file as it is at a moment. */
  openFile(ref: string, path: string): void;

  /** Show how a file differs between yours and theirs. */
  compare(yours: string, theirs: string, path: string): void;

  /** Copy a link to the merge. */
  copyLink(): void;
}

interface IProps {
  model: MergeModel;
  actions: IMergeActions;
  services: IEditorServices;
  outputs: IOutputParts;
  trans: TranslationBundle;
}

/**
 * A merge that is under way: what is decided, what is not, and the way to end it.
 */
export function MergeView(props: IProps): JSX.Element {
  const { model, actions, trans } = props;
  const { merge, error, result } = model;
  const scroll = React.useRef<HTMLDivElement>(null);
  const arrives = React.useRef(false);
  const go = async (forward: boolean): Promise<void> => {
    const node = scroll.current;
    if (node && !goToChange(node, forward)) {
      arrives.current = true;
      if (!(await model.chooseOpen(forward))) {
        arrives.current = false;
      }
    }
  };
  React.useEffect(() => {
    // another file that was gone to is drawn now
    if (arrives.current && model.detail && scroll.current) {
      arrives.current = false;
      goToChange(scroll.current, true);
    }
  });
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const direction = directionOf(event);
    if (direction) {
      event.preventDefault();
      event.stopPropagation();
      void go(direction === 'next');
    }
  };
  return (
    <ErrorBoundary
      message={trans.__(
        'The merge cannot be shown; nothing was written to your files. Close the tab and open it again.'
      )}
    >
      <div className="jp-DotscienceMerge-view" onKeyDown={onKeyDown}>
        {merge && <MergeHeader {...props} merge={merge} go={go} />}
        {error && (
          <Failure
            message={error.message}
            details={error.details}
            trans={trans}
            onRetry={() => {
              void model.load();
            }}
          />
        )}
        {merge ? (
          <div className="jp-DotscienceDifference-body">
            <MergeFiles {...props} merge={merge} />
            <MergeContent {...props} merge={merge} scroll={scroll} />
          </div>
        ) : model.isLoaded ? (
          <div className="jp-DotscienceDifference-none" role="status">
            {result && <p>{result.message}</p>}
            <p>{trans.__('No merge is under way.')}</p>
            <TextButton onClick={() => actions.begin()}>
              {trans.__('Merge…')}
            </TextButton>
          </div>
        ) : (
          <Waiting>{trans.__('Looking for the merge…')}</Waiting>
        )}
      </div>
    </ErrorBoundary>
  );
}

function MergeHeader(
  props: IProps & { merge: Merge; go: (forward: boolean) => Promise<void> }
): JSX.Element {
  const { model, actions, merge, go, trans } = props;
  const [description, setDescription] = React.useState('');
  const id = React.useId();
  const { conflicts } = merge;
  const files = merge.files.filter(file => file.conflicts > 0).length;
  const isOpen = conflicts > 0;
  return (
    <header className="jp-DotscienceMerge-header">
      <div className="jp-DotscienceMerge-title">
        <h1>{trans.__('Merge “%1” into the workspace', merge.theirs.label)}</h1>
        <p className="jp-DotscienceMerge-sides">
          {trans.__(
            'Yours: %1. Theirs: %2. Both began with %3.',
            merge.yours.label,
            merge.theirs.label,
            merge.base.label
          )}{' '}
          {!merge.markers && trans.__('Nothing is written before you finish.')}
        </p>
      </div>
      <div className="jp-DotscienceMerge-bar">
        <strong
          id={id}
          role="status"
          className={`jp-DotscienceMerge-open${isOpen ? ' jp-mod-open' : ''}`}
        >
          {isOpen
            ? trans._n(
                '%1 open conflict in %2',
                '%1 open conflicts in %2',
                conflicts,
                trans._n('%1 file', '%1 files', files)
              )
            : trans.__('No open conflicts')}
        </strong>
        <TextButton
          title={trans.__('Previous conflict (p, or Alt+Up)')}
          onClick={() => {
            void go(false);
          }}
        >
          {trans.__('↑ Previous')}
        </TextButton>
        <TextButton
          title={trans.__('Next conflict (n, or Alt+Down)')}
          onClick={() => {
            void go(true);
          }}
        >
          {trans.__('↓ Next')}
        </TextButton>
        <input
          className="jp-mod-styled"
          type="text"
          value={description}
          aria-label={trans.__('Description of the commit')}
          placeholder={trans.__('What is this about?')}
          onChange={event => setDescription(event.target.value)}
        />
        <button
          type="button"
          className="jp-DotscienceButton jp-mod-main"
          // it keeps the focus, and says why it cannot be used
          aria-disabled={isOpen || model.isBusy}
          aria-describedby={isOpen ? id : undefined}
          title={
            isOpen
              ? trans.__('Choose what becomes of each conflict first')
              : merge.markers
                ? trans.__('Commit the files as they are, with both parents')
                : trans.__('Write the result and commit it with both parents')
          }
          onClick={() => {
            if (!isOpen && !model.isBusy) {
              actions.finish(description.trim());
            }
          }}
        >
          {trans.__('Finish')}
        </button>
        <TextButton
          title={trans.__('Give the merge up; the workspace is as it was')}
          disabled={model.isBusy}
          onClick={() => actions.abort()}
        >
          {trans.__('Abort…')}
        </TextButton>
        <CopyLink onClick={() => actions.copyLink()} trans={trans} />
      </div>
      {merge.stale && (
        <p className="jp-DotscienceDifference-note jp-mod-warn">
          {trans.__('The workspace has changed since the merge was begun.')}
        </p>
      )}
      {merge.markers && (
        <p className="jp-DotscienceDifference-note">
          {trans.__(
            'This merge was begun on the command line: what could be merged is in the files already, and the conflicts are marked in them. Edit a file until no marks are left, or choose one side for all of it.'
          )}
        </p>
      )}
    </header>
  );
}

function MergeFiles(props: IProps & { merge: Merge }): JSX.Element {
  const { model, merge, trans } = props;
  const [shown, setShown] = React.useState(FILES);
  return (
    <nav
      className="jp-DotscienceDifference-files"
      aria-label={trans.__('Files of the merge')}
    >
      <ul className="jp-DotscienceMerge-files">
        {merge.files.slice(0, shown).map(file => (
          <li key={file.path}>
            <button
              type="button"
              aria-current={file.path === model.path}
              title={file.path}
              onClick={() => {
                void model.choose(file.path);
              }}
            >
              <span className="jp-DotscienceMerge-path">{file.path}</span>
              <span className="jp-DotscienceMerge-state">
                {stateText(file, trans)}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {shown < merge.files.length && (
        <TextButton onClick={() => setShown(shown + 10 * FILES)}>
          {trans.__('Show more (%1 files in all)', merge.files.length)}
        </TextButton>
      )}
      {merge.files.length === 0 && (
        <Empty>{trans.__('No file differs.')}</Empty>
      )}
    </nav>
  );
}

function MergeContent(
  props: IProps & { merge: Merge; scroll: React.RefObject<HTMLDivElement> }
): JSX.Element {
  const { model, actions, services, outputs, merge, scroll, trans } = props;
  const { path, detail, detailError, isBusy } = model;
  const resolve = React.useCallback<IConflictParts['resolve']>(
    (conflict, choice, text) => model.resolve(conflict, choice, text ?? null),
    [model]
  );
  const parts: IConflictParts = {
    services,
    outputs,
    isBusy,
    resolve,
    inFile:
      merge.markers && path !== null
        ? {
            decide: (choice, isEdited) =>
              actions.decide(path, choice, isEdited),
            open: () => actions.openFile(NOW, path)
          }
        : null,
    trans
  };
  return (
    <section
      className="jp-DotscienceDifference-file"
      aria-label={path ?? trans.__('File')}
    >
      {path !== null && (
        <div className="jp-DotscienceDifference-toolbar">
          <h2 title={path}>{path}</h2>
          <div className="jp-DotscienceDifference-tools">
            <TextButton onClick={() => actions.openFile(merge.yours.ref, path)}>
              {trans.__('Open yours')}
            </TextButton>
            <TextButton
              onClick={() => actions.openFile(merge.theirs.ref, path)}
            >
              {trans.__('Open theirs (%1)', shortId(merge.theirs.ref))}
            </TextButton>
            <TextButton
              onClick={() =>
                actions.compare(merge.yours.ref, merge.theirs.ref, path)
              }
            >
              {trans.__('Compare them')}
            </TextButton>
          </div>
        </div>
      )}
      <LazyScroll
        // another file, or that of another merge, begins at its top
        key={`${merge.id} ${path}`}
        ref={scroll}
        className="jp-DotscienceDifference-content"
        tabIndex={0}
        role="region"
        aria-label={trans.__('How the file is merged')}
      >
        {detailError ? (
          <Failure
            message={trans.__('It could not be read how the file is merged.')}
            details={detailError.message}
            trans={trans}
            onRetry={() => {
              void model.load();
            }}
          />
        ) : detail ? (
          <DetailView detail={detail} parts={parts} />
        ) : path === null ? null : (
          <Waiting>{trans.__('Reading %1…', path)}</Waiting>
        )}
      </LazyScroll>
    </section>
  );
}

/**
 * What becomes of a file, in a few words.
 */
function stateText(file: MergeFile, trans: TranslationBundle): string {
  switch (file.state) {
    case 'conflict':
      return trans._n('%1 conflict', '%1 conflicts', file.conflicts);
    case 'resolved':
      return trans.__('resolved');
    case 'merged':
      return trans.__('merged');
    case 'yours':
      return trans.__('yours');
    case 'theirs':
      switch (file.change) {
        case 'added':
          return trans.__('theirs, added');
        case 'removed':
          return trans.__('theirs, removed');
        default:
          return trans.__('theirs');
      }
  }
}
