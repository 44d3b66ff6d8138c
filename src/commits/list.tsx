// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Commit } from '../api/schema';
import { indexAt, menuPlace, useRows } from '../panel/rows';
import { rowAfterKey } from '../panel/window';
import { firstLine, formatTime, shortId } from '../run/format';
import type { CommitsModel } from './model';

/**
 * What the list works with.
 */
export interface ICommitListProps {
  /** The commits. */
  model: CommitsModel;

  /** The translations. */
  trans: TranslationBundle;

  /** Show the files of a commit. */
  onOpen: (commit: Commit) => void;

  /** Show what can be done with a commit, at a place on the page. */
  onMenu: (commit: Commit, x: number, y: number) => void;
}

/**
 * The commits, of which only those that are visible are in the page.
 *
 * #### Notes
 * It is a list box with one tab stop: the arrows choose, Enter shows the files. All rows have
 * the same height, so any place of a long list is reached at once.
 */
export function CommitList(props: ICommitListProps): JSX.Element {
  const { model, trans } = props;
  const base = React.useId();
  const wanted = React.useRef(-1);

  const { total, selectedIndex: active } = model;
  const list = useRows(total, 2);
  const { first, end } = list;

  React.useLayoutEffect(() => {
    const shift = model.takeShift();
    if (shift === null) {
      list.scrollTo(0);
    } else if (shift !== 0 && list.scrollTop > 0) {
      // what one looks at stays where it is
      list.scrollTo(list.scrollTop + shift * list.row);
    }
  });

  React.useEffect(() => {
    model.ensure(first, end);
    // a row that was gone to before it was here
    if (wanted.current >= 0 && model.get(wanted.current)) {
      const index = wanted.current;
      wanted.current = -1;
      model.select(index);
    }
  });

  const goTo = (index: number): void => {
    list.show(index);
    if (model.get(index)) {
      wanted.current = -1;
      model.select(index);
    } else {
      wanted.current = index;
    }
  };

  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const from = wanted.current >= 0 ? wanted.current : active;
    const page = Math.floor(list.height / list.row);
    const to = rowAfterKey(event.key, from, page, total);
    if (to !== null) {
      goTo(to);
    } else if (event.key === 'Enter' && model.selected) {
      props.onOpen(model.selected);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const onContextMenu = (event: React.MouseEvent): void => {
    const pointed = indexAt(event.target);
    const commit = pointed >= 0 ? model.get(pointed) : model.selected;
    if (!commit) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (pointed >= 0) {
      model.select(pointed);
    }
    props.onMenu(commit, ...menuPlace(event, `${base}-${active}`));
  };

  const rows: JSX.Element[] = [];
  for (let index = first; index < end; index++) {
    const commit = model.get(index);
    rows.push(
      <CommitRow
        key={commit?.id ?? `row-${index}`}
        id={`${base}-${index}`}
        commit={commit}
        index={index}
        total={total}
        height={list.row}
        isSelected={index === active}
        trans={trans}
      />
    );
  }
  return (
    <div
      ref={list.ref}
      className="jp-DotscienceList jp-DotscienceCommits-list"
      role="listbox"
      tabIndex={0}
      aria-label={trans.__('Commits, newest first')}
      aria-activedescendant={
        active >= first && active < end ? `${base}-${active}` : undefined
      }
      onScroll={list.onScroll}
      onKeyDown={onKeyDown}
      onClick={event => model.select(indexAt(event.target))}
      onDoubleClick={event => {
        const commit = model.get(indexAt(event.target));
        if (commit) {
          props.onOpen(commit);
        }
      }}
      onContextMenu={onContextMenu}
    >
      <div
        className="jp-DotscienceList-content"
        role="presentation"
        style={{ height: total * list.row }}
      >
        {rows}
      </div>
    </div>
  );
}

/**
 * One commit of the list.
 */
const CommitRow = React.memo(function CommitRow(props: {
  id: string;
  commit: Commit | undefined;
  index: number;
  total: number;
  height: number;
  isSelected: boolean;
  trans: TranslationBundle;
}): JSX.Element {
  const { commit, index, trans } = props;
  const classes = ['jp-DotscienceList-row', 'jp-DotscienceCommits-row'];
  if (props.isSelected) {
    classes.push('jp-mod-active');
  }
  return (
    <div
      id={props.id}
      role="option"
      className={classes.join(' ')}
      aria-selected={props.isSelected}
      aria-posinset={index + 1}
      aria-setsize={props.total}
      aria-busy={commit === undefined}
      data-index={index}
      data-commit={commit?.id}
      style={{
        height: props.height,
        transform: `translateY(${index * props.height}px)`
      }}
    >
      {commit && (
        <>
          <div className="jp-DotscienceCommits-line">
            <span
              className="jp-DotscienceCommits-message"
              title={commit.message}
            >
              {firstLine(commit.message) || trans.__('No message')}
            </span>
            <time dateTime={commit.created}>{formatTime(commit.created)}</time>
          </div>
          <div className="jp-DotscienceCommits-line jp-mod-secondary">
            <span className="jp-DotscienceCommits-author">{commit.author}</span>
            <span>{countsOf(commit, trans)}</span>
            <code className="jp-DotscienceId" title={commit.id}>
              {shortId(commit.id)}
            </code>
          </div>
        </>
      )}
    </div>
  );
});

/**
 * How many files a commit changed, and how many runs it has.
 */
export function countsOf(commit: Commit, trans: TranslationBundle): string {
  const { files, parents, runs } = commit;
  const counts: string[] = [];
  if (parents.length === 0) {
    counts.push(trans.__('first commit'));
  } else if (typeof files === 'number') {
    counts.push(trans._n('%1 file changed', '%1 files changed', files));
  }
  if (parents.length > 1) {
    counts.push(trans.__('merge'));
  }
  if (runs.length > 0) {
    counts.push(trans._n('%1 run', '%1 runs', runs.length));
  }
  return counts.join(' · ');
}
