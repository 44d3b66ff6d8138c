// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import * as React from 'react';

import type {
  Conflict,
  MergeCell,
  MergeDetail,
  MergeSegment
} from '../api/schema';
import { textOf } from '../difference/bundle';
import { Empty, TextButton } from '../run/components';
import type { IConflictParts } from './conflict';
import { ConflictView, clearedText, keepText } from './conflict';

/**
 * How a file is merged: its conflicts in their places, and what is merged without one.
 */
export function DetailView(props: {
  detail: MergeDetail;
  parts: IConflictParts;
}): JSX.Element {
  const { detail, parts } = props;
  const { trans, services } = parts;
  const { file, conflicts, cells, segments } = detail;
  const byId = new Map(conflicts.map(conflict => [conflict.id, conflict]));
  const placed = new Set([
    ...cells.map(cell => cell.conflict),
    ...segments.map(segment => segment.conflict)
  ]);
  const elsewhere = conflicts.filter(({ id }) => !placed.has(id));
  const fileType = services.mimeTypeService.getMimeTypeByFilePath(file.path);
  const isDecided = parts.inFile !== null && file.conflicts === 0;
  const show = (
    conflict: Conflict,
    mimeType: string,
    cell: MergeCell | null = null
  ): JSX.Element => (
    <ConflictView
      key={conflict.id}
      cell={cell}
      isDecided={isDecided}
      conflict={conflict}
      mimeType={mimeType}
      parts={parts}
    />
  );
  return (
    <>
      <p className="jp-DotscienceMerge-what">{file.message}</p>
      <WholeFile detail={detail} parts={parts} />
      {elsewhere.map(conflict => show(conflict, fileType))}
      {cells.map((cell, index) => {
        const conflict = byId.get(cell.conflict ?? '');
        return conflict ? (
          show(conflict, cellType(cell, detail.language, services), cell)
        ) : (
          <QuietCell key={`cell ${index}`} cell={cell} parts={parts} />
        );
      })}
      {segments.map((segment, index) => {
        const conflict = byId.get(segment.conflict ?? '');
        return conflict ? (
          show(conflict, fileType)
        ) : (
          <QuietSegment
            key={`segment ${index}`}
            segment={segment}
            parts={parts}
          />
        );
      })}
      {conflicts.length === 0 &&
        cells.length === 0 &&
        segments.length === 0 && (
          <Empty>{trans.__('There is nothing to choose in this file.')}</Empty>
        )}
    </>
  );
}

/**
 * One choice for all conflicts of a file; where they are marked in it, the only one.
 */
function WholeFile(props: {
  detail: MergeDetail;
  parts: IConflictParts;
}): JSX.Element | null {
  const { conflicts } = props.detail;
  const { inFile, isBusy, resolve, trans } = props.parts;
  if (conflicts.length < (inFile ? 1 : 2)) {
    return null;
  }
  // a side can be chosen of any file, and text be written only where there are lines or cells
  const isEdited = conflicts.some(({ choices }) => choices.includes('edited'));
  const common = (['yours', 'theirs', 'both'] as const).filter(choice =>
    conflicts.every(({ choices }) => choices.includes(choice))
  );
  const choose = (choice: Conflict['choice']): void => {
    if (inFile) {
      inFile.decide(choice, isEdited);
    } else {
      void resolve('', choice);
    }
  };
  return (
    <div
      className="jp-DotscienceConflict-choices"
      role="group"
      aria-label={trans.__('All conflicts of the file')}
    >
      <span>
        {isEdited
          ? trans.__('All conflicts of this file:')
          : trans.__('All of this file:')}
      </span>
      {common.map(choice => (
        <TextButton
          key={choice}
          disabled={isBusy}
          pressed={conflicts.every(one => one.choice === choice)}
          onClick={() => choose(choice)}
        >
          {keepText(choice, trans)}
        </TextButton>
      ))}
      {conflicts.some(({ choice }) => choice !== null) && (
        <TextButton disabled={isBusy} onClick={() => choose(null)}>
          {trans.__('Undo all')}
        </TextButton>
      )}
      {inFile && isEdited && (
        <TextButton onClick={inFile.open}>
          {trans.__('Open the file')}
        </TextButton>
      )}
    </div>
  );
}

/**
 * A cell that is merged without a conflict; its source is shown when asked for.
 */
function QuietCell(props: {
  cell: MergeCell;
  parts: IConflictParts;
}): JSX.Element {
  const { cell } = props;
  const { trans } = props.parts;
  if (cell.state === 'same' && !cell.result) {
    return (
      <div className="jp-DotscienceCell-folded">
        {trans._n('%1 unchanged cell', '%1 unchanged cells', cell.count)}
      </div>
    );
  }
  return (
    <Quiet
      state={cell.state}
      text={cell.result ? textOf(cell.result.source) : null}
      what={trans.__('Cell')}
      note={cell.cleared ? clearedText(trans) : ''}
      parts={props.parts}
    />
  );
}

/**
 * Lines that are merged without a conflict.
 */
function QuietSegment(props: {
  segment: MergeSegment;
  parts: IConflictParts;
}): JSX.Element {
  const { segment } = props;
  const { trans } = props.parts;
  const text = segment.text ?? '';
  const count = text.replace(/\n$/, '').split('\n').length;
  return (
    <Quiet
      state={segment.state}
      text={segment.text}
      what={trans._n('%1 line', '%1 lines', count)}
      note=""
      parts={props.parts}
    />
  );
}

function Quiet(props: {
  state: MergeCell['state'];
  text: string | null;
  what: string;
  note: string;
  parts: IConflictParts;
}): JSX.Element {
  const { state, text, what, note } = props;
  const { trans } = props.parts;
  const title =
    state === 'same'
      ? trans.__('%1, unchanged', what)
      : state === 'yours'
        ? trans.__('%1, as you changed it', what)
        : state === 'theirs'
          ? trans.__('%1, as they changed it', what)
          : state === 'merged'
            ? trans.__('%1, with both changes', what)
            : trans.__('%1, as you chose', what);
  if (text === null) {
    return (
      <div className={`jp-DotscienceMerge-quiet jp-mod-${state}`}>
        {trans.__('%1: removed', title)}
      </div>
    );
  }
  return (
    <details
      className={`jp-DotscienceDetails jp-DotscienceMerge-quiet jp-mod-${state}`}
    >
      <summary>{note ? trans.__('%1. %2', title, note) : title}</summary>
      <pre>{text}</pre>
    </details>
  );
}

function cellType(
  cell: MergeCell,
  language: string,
  services: IConflictParts['services']
): string {
  const { cell_type: type } = cell.yours ?? cell.theirs ?? cell.base ?? {};
  const name = type === 'code' && language ? language : 'text';
  return type === 'markdown'
    ? 'text/x-ipythongfm'
    : services.mimeTypeService.getMimeTypeByLanguage({ name });
}
