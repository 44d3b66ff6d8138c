// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { FileComparison } from '../api/schema';
import {
  Empty,
  ErrorBoundary,
  Failure,
  TextButton,
  Waiting
} from '../run/components';
import { BinaryView, ImageView } from './binary';
import { FileList } from './filelist';
import { MOST_CONTEXT } from './fold';
import { DifferenceHeader } from './header';
import { LazyScroll } from './lazy';
import type { DifferenceModel } from './model';
import { directionOf, goToChange } from './navigate';
import { NotebookView } from './notebook';
import type { DifferenceOptions } from './options';
import type { IOutputParts } from './output';
import type { IRowsView } from './rows';
import { TextRows } from './rows';
import { TableView } from './table';
import { FileToolbar } from './toolbar';

/**
 * What a tab of differences can do elsewhere in the application.
 */
export interface IDifferenceActions {
  /** Open a run's tab. */
  openRun(run: string): void;

  /** Open a file as it was in a commit, or as it is now. */
  openFile(ref: string, path: string): void;

  /** Show the versions of a file; null where that cannot be shown. */
  openHistory: ((path: string) => void) | null;

  /** Have the user choose a moment. */
  chooseMoment(label: string): Promise<string | null>;

  /** Copy a link to the differences. */
  copyLink(): void;
}

interface IProps {
  model: DifferenceModel;
  options: DifferenceOptions;
  actions: IDifferenceActions;
  parts: IOutputParts;
  trans: TranslationBundle;
}

/**
 * How two moments differ: files on the left, one of them inside on the right.
 */
export function DifferenceView(props: IProps): JSX.Element {
  const { model, options, actions, trans } = props;
  const { comparison, error } = model;
  const scroll = React.useRef<HTMLDivElement>(null);
  const go = (forward: boolean): void => {
    if (scroll.current) {
      goToChange(scroll.current, forward);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const direction = directionOf(event);
    if (direction) {
      event.preventDefault();
      event.stopPropagation();
      go(direction === 'next');
    }
  };
  return (
    <ErrorBoundary
      message={trans.__(
        'The differences cannot be shown; your files are safe. Close the tab and open it again.'
      )}
    >
      <div className="jp-DotscienceDifference-view" onKeyDown={onKeyDown}>
        <DifferenceHeader {...{ model, actions, trans }} />
        {error && (
          <Failure
            message={trans.__('The files could not be compared.')}
            details={error.message}
            trans={trans}
            onRetry={() => {
              void model.load();
            }}
          />
        )}
        {!comparison ? (
          !error && <Listing model={model} trans={trans} />
        ) : comparison.total === 0 && !model.content ? (
          <div className="jp-DotscienceDifference-none" role="status">
            {trans.__('No differences')}
          </div>
        ) : (
          <div className="jp-DotscienceDifference-body">
            <FileList
              files={comparison.files}
              total={comparison.total}
              path={model.path}
              tree={model.options.tree}
              onTree={tree => options.set({ tree })}
              onChoose={path => {
                void model.choose(path);
              }}
              trans={trans}
            />
            <section
              className="jp-DotscienceDifference-file"
              aria-label={model.path ?? trans.__('File')}
            >
              {model.path !== null && (
                <FileToolbar {...{ model, options, actions, trans, go }} />
              )}
              <LazyScroll
                // another file begins at its top
                key={model.path}
                ref={scroll}
                className="jp-DotscienceDifference-content"
                tabIndex={0}
                role="region"
                aria-label={trans.__('Differences')}
                aria-busy={model.isComparing}
              >
                <Content {...props} />
              </LazyScroll>
            </section>
          </div>
        )}
      </div>
    </ErrorBoundary>
  );
}

/**
 * The moments are being compared, or somebody gave that up.
 */
function Listing(props: {
  model: DifferenceModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, trans } = props;
  return model.isListing ? (
    <>
      <Waiting>{trans.__('Comparing files…')}</Waiting>
      <TextButton
        title={trans.__('Give up comparing the two moments')}
        onClick={() => model.cancelListing()}
      >
        {trans.__('Cancel')}
      </TextButton>
    </>
  ) : (
    <Empty>
      {trans.__('The comparison was cancelled.')}{' '}
      <TextButton
        onClick={() => {
          void model.load();
        }}
      >
        {trans.__('Compare again')}
      </TextButton>
    </Empty>
  );
}

/**
 * The chosen file, or why it is not there.
 */
function Content(props: IProps): JSX.Element | null {
  const { model, trans } = props;
  const { content, contentError, path } = model;
  if (path === null) {
    return <Empty>{trans.__('Choose a file to see how it differs.')}</Empty>;
  }
  const again = (): void => {
    void model.compare();
  };
  if (contentError) {
    return (
      <Failure
        message={trans.__('The file could not be compared.')}
        details={contentError.message}
        trans={trans}
        onRetry={again}
      />
    );
  }
  if (content) {
    return <FileContent {...props} content={content} />;
  }
  if (model.wasCancelled) {
    return (
      <Empty>
        {trans.__('The comparison was cancelled.')}{' '}
        <TextButton onClick={again}>{trans.__('Compare again')}</TextButton>
      </Empty>
    );
  }
  return model.isComparing ? (
    <Waiting>{trans.__('Comparing %1…', path)}</Waiting>
  ) : null;
}

function FileContent(props: IProps & { content: FileComparison }): JSX.Element {
  const { model, parts, content, trans } = props;
  const { sideBySide, wrap } = model.options;
  const { opened, context } = model;
  const unfold = React.useCallback(
    (place: string) => {
      void model.unfold(place);
    },
    [model]
  );
  const view = React.useMemo<IRowsView>(
    () => ({
      sideBySide,
      wrap,
      opened,
      hasMore: context < MOST_CONTEXT,
      unfold
    }),
    [sideBySide, wrap, opened, context, unfold]
  );
  const { file, notebook, text, table } = content;
  const { highlighter } = parts;
  const highlight = React.useMemo(
    () => highlighter?.ofFile(file.path),
    [highlighter, file.path]
  );
  return (
    <>
      {content.note && (
        <p className="jp-DotscienceDifference-note">{content.note}</p>
      )}
      {notebook ? (
        <NotebookView {...{ content, notebook, model, view, parts }} />
      ) : table ? (
        <TableView table={table} trans={trans} />
      ) : text ? (
        <TextRows
          text={text}
          label={trans.__('Lines of %1', file.path)}
          scope="text"
          view={view}
          highlight={highlight}
          trans={trans}
        />
      ) : file.type === 'image' ? (
        <ImageView content={content} reader={model.reader} trans={trans} />
      ) : (
        <BinaryView file={file} trans={trans} />
      )}
      {isEmpty(content) && (
        <Empty>
          {notebook
            ? trans.__(
                'No differences in what is compared. Outputs, metadata and execution counts can be compared too.'
              )
            : trans.__('No differences')}
        </Empty>
      )}
    </>
  );
}

function isEmpty({ notebook, text, table }: FileComparison): boolean {
  if (notebook) {
    return (
      notebook.metadata === null &&
      notebook.cells.every(cell => cell.change === 'folded')
    );
  }
  return (
    table === null &&
    text !== null &&
    text.rows.every(row => row.change === 'same' || row.change === 'folded')
  );
}
