// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Conflict, MergeCell } from '../api/schema';
import type { IOutputParts } from '../difference/output';
import type { IRowsView, ISignNames } from '../difference/rows';
import { TextRows } from '../difference/rows';
import { Empty, TextButton } from '../run/components';
import { ResultEditor } from './editor';
import { compareLines } from './lines';
import { ConflictOutputs } from './outputs';

/**
 * A file in which conflicts are marked, because the merge was begun on the command line.
 *
 * #### Notes
 * Its conflicts are decided by editing it, or by one side for all of it; not one by one.
 */
export interface IMarkedFile {
  /** Choose for all of the file. */
  readonly decide: (choice: Conflict['choice'], isEdited: boolean) => void;

  /** Open the file to edit it. */
  readonly open: () => void;
}

/**
 * What conflicts are shown with.
 */
export interface IConflictParts {
  /** Editors; null where there are none. */
  readonly services: IEditorServices;

  /** What outputs of cells are shown with. */
  readonly outputs: IOutputParts;

  /** Whether the server is at work. */
  readonly isBusy: boolean;

  /** What can be done where conflicts are marked in the files; else null. */
  readonly inFile: IMarkedFile | null;

  /** Choose what becomes of a conflict; resolves when the server has answered. */
  readonly resolve: (
    conflict: string,
    choice: Conflict['choice'],
    text?: string
  ) => Promise<boolean>;

  /** The translations. */
  readonly trans: TranslationBundle;
}

/**
 * A place where both sides changed something, and what is to become of it.
 *
 * @param props.mimeType - Of what is edited
 * @param props.cell - Its cell, in a notebook
 * @param props.isDecided - Whether it was decided by editing the file
 */
export function ConflictView(props: {
  conflict: Conflict;
  mimeType: string;
  cell: MergeCell | null;
  isDecided: boolean;
  parts: IConflictParts;
}): JSX.Element {
  const { conflict, mimeType, cell, isDecided, parts } = props;
  const { services, outputs, isBusy, resolve, inFile, trans } = parts;
  const { id, where, base, yours, theirs, result, choice, choices } = conflict;
  const [isEditing, setEditing] = React.useState(false);
  const [showsBase, setShowsBase] = React.useState(false);
  const open = choice === null && !isDecided;
  const isTwo = cell !== null && choice === 'both';
  const names = React.useMemo<ISignNames>(
    () => ({
      added: trans.__('only in theirs'),
      removed: trans.__('only in yours'),
      modified: trans.__('differs')
    }),
    [trans]
  );
  const choose = (next: Conflict['choice']): void => {
    setEditing(false);
    void resolve(id, next);
  };
  return (
    <section
      className={`jp-DotscienceConflict${open ? ' jp-mod-open' : ''}`}
      aria-label={
        open
          ? trans.__('Open conflict: %1', where)
          : trans.__('Resolved conflict: %1', where)
      }
      data-change=""
      data-open={open ? '' : undefined}
      tabIndex={-1}
    >
      <div className="jp-DotscienceConflict-title">
        <h3>{where}</h3>
        <span className={`jp-Dotscience-badge${open ? ' jp-mod-error' : ''}`}>
          {isDecided && choice === null
            ? trans.__('decided in the file')
            : choiceText(choice, trans)}
        </span>
      </div>
      <div
        className="jp-DotscienceConflict-choices"
        role="group"
        aria-label={trans.__('What becomes of it: %1', where)}
      >
        {(inFile ? [] : choices)
          .filter(name => name !== 'edited')
          .map(name => (
            <TextButton
              key={name}
              pressed={choice === name}
              disabled={isBusy}
              onClick={() => choose(name)}
            >
              {keepText(name, trans)}
            </TextButton>
          ))}
        {!inFile && choices.includes('edited') && (
          <TextButton
            pressed={isEditing || choice === 'edited'}
            disabled={isBusy}
            onClick={() => setEditing(true)}
          >
            {trans.__('Edit…')}
          </TextButton>
        )}
        {!inFile && !open && (
          <TextButton
            title={trans.__('Open the conflict again')}
            disabled={isBusy}
            onClick={() => choose(null)}
          >
            {trans.__('Undo')}
          </TextButton>
        )}
        {base !== null && (
          <TextButton
            title={trans.__('Show what both sides began with')}
            pressed={showsBase}
            onClick={() => setShowsBase(!showsBase)}
          >
            {trans.__('Base')}
          </TextButton>
        )}
      </div>
      {showsBase && base !== null && (
        <div className="jp-DotscienceConflict-base">
          <h4>{trans.__('Base: what both sides began with')}</h4>
          <pre>{base}</pre>
        </div>
      )}
      <Versions
        yours={yours}
        theirs={theirs}
        scope={id}
        names={names}
        trans={trans}
      />
      {cell && (
        <ConflictOutputs
          pairs={cell.outputs}
          place={id}
          signs={names}
          parts={outputs}
        />
      )}
      {isEditing ? (
        <ResultEditor
          text={result ?? yours ?? theirs ?? ''}
          mimeType={mimeType}
          services={services}
          isBusy={isBusy}
          onSave={text => {
            const whole = endedAs(text, yours ?? theirs ?? '');
            void resolve(id, 'edited', whole).then(taken => {
              // what was typed is not lost when the server did not take it
              if (taken) {
                setEditing(false);
              }
            });
          }}
          onCancel={() => setEditing(false)}
          trans={trans}
        />
      ) : (
        choice !== null &&
        (yours !== null || theirs !== null) && (
          <div className="jp-DotscienceConflict-result">
            <h4>
              {isTwo
                ? trans.__('Result: two cells, yours first')
                : trans.__('Result')}
            </h4>
            {isTwo ? (
              [yours, theirs].map((source, index) => (
                <pre key={index}>{source}</pre>
              ))
            ) : result === null ? (
              <Empty>{trans.__('It is removed.')}</Empty>
            ) : (
              <pre>{result}</pre>
            )}
            {cell?.cleared && (
              <p className="jp-DotscienceDifference-note">
                {clearedText(trans)}
              </p>
            )}
          </div>
        )
      )}
    </section>
  );
}

/**
 * Text that ends its last line where other text does, so that it does not run into what follows.
 */
export function endedAs(text: string, other: string): string {
  return text !== '' && !text.endsWith('\n') && other.endsWith('\n')
    ? `${text}\n`
    : text;
}

/**
 * Yours and theirs side by side, with what differs between them marked.
 */
function Versions(props: {
  yours: string | null;
  theirs: string | null;
  scope: string;
  names: ISignNames;
  trans: TranslationBundle;
}): JSX.Element {
  const { yours, theirs, scope, names, trans } = props;
  const text = React.useMemo(
    () => compareLines(yours ?? '', theirs ?? ''),
    [yours, theirs]
  );
  const [opened, setOpened] = React.useState<ReadonlySet<string>>(new Set());
  const view = React.useMemo<IRowsView>(
    () => ({
      sideBySide: true,
      wrap: true,
      opened,
      hasMore: true,
      unfold: place => setOpened(old => new Set([...old, place]))
    }),
    [opened]
  );
  if (yours === null && theirs === null) {
    return (
      <div className="jp-DotscienceConflict-unshown">
        <Empty>
          {trans.__('The two versions cannot be shown here as text.')}
        </Empty>
      </div>
    );
  }
  return (
    <>
      <div className="jp-DotscienceConflict-heads" aria-hidden="true">
        <span>
          {yours === null ? trans.__('Yours: removed') : trans.__('Yours')}
        </span>
        <span>
          {theirs === null ? trans.__('Theirs: removed') : trans.__('Theirs')}
        </span>
      </div>
      <TextRows
        text={text}
        label={
          yours === null
            ? trans.__('Yours is removed; theirs')
            : theirs === null
              ? trans.__('Theirs is removed; yours')
              : trans.__('Yours and theirs')
        }
        scope={scope}
        view={view}
        names={names}
        trans={trans}
      />
    </>
  );
}

/**
 * What is said of a cell in the result that lost its outputs.
 */
export function clearedText(trans: TranslationBundle): string {
  return trans.__(
    'Its outputs are cleared, since they are of another source: run the cell again to make them anew.'
  );
}

/**
 * What is done by choosing a side.
 */
export function keepText(
  choice: NonNullable<Conflict['choice']>,
  trans: TranslationBundle
): string {
  switch (choice) {
    case 'yours':
      return trans.__('Keep yours');
    case 'theirs':
      return trans.__('Keep theirs');
    case 'both':
      return trans.__('Keep both');
    case 'base':
      return trans.__('Keep the base');
    case 'edited':
      return trans.__('Edit…');
  }
}

function choiceText(
  choice: Conflict['choice'],
  trans: TranslationBundle
): string {
  switch (choice) {
    case null:
      return trans.__('open');
    case 'yours':
      return trans.__('yours is kept');
    case 'theirs':
      return trans.__('theirs is kept');
    case 'both':
      return trans.__('both are kept');
    case 'base':
      return trans.__('the base is kept');
    case 'edited':
      return trans.__('edited');
  }
}
