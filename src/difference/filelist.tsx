// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ComparedFile } from '../api/schema';
import { rowAfterKey, scrollToShow, visibleWindow } from '../panel/window';
import type { IFileRow } from './tree';
import { filterFiles, flatRows, treeRows } from './tree';

/** The height of a row, in px. */
const ROW = 24;

/** The height that is assumed until the real one can be measured, in px. */
const ASSUMED_HEIGHT = 600;

/**
 * The files that differ, of which only those that are visible are in the page.
 *
 * #### Notes
 * It is a tree with one tab stop: the arrows move and show, left and right close and open folders.
 */
export function FileList(props: {
  files: readonly ComparedFile[];
  total: number;
  path: string | null;
  tree: boolean;
  onTree: (tree: boolean) => void;
  onChoose: (path: string) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { files, total, path, tree, onChoose, trans } = props;
  const [filter, setFilter] = React.useState('');
  const [closed, setClosed] = React.useState<ReadonlySet<string>>(new Set());
  const [scrollTop, setScrollTop] = React.useState(0);
  const [height, setHeight] = React.useState(0);
  const [active, setActive] = React.useState<string | null>(path);
  const ref = React.useRef<HTMLDivElement>(null);
  const base = React.useId();

  const found = React.useMemo(
    () => filterFiles(files, filter),
    [files, filter]
  );
  const rows = React.useMemo(
    () => (tree ? treeRows(found, closed) : flatRows(found)),
    [found, tree, closed]
  );
  const room = height || ASSUMED_HEIGHT;
  const { first, end } = visibleWindow(scrollTop, room, ROW, rows.length);
  const at = active ?? path;
  const index = rows.findIndex(row => row.path === at);

  React.useEffect(() => setActive(path), [path]);

  React.useLayoutEffect(() => {
    const node = ref.current;
    if (!node || typeof ResizeObserver === 'undefined') {
      return;
    }
    const observer = new ResizeObserver(() => setHeight(node.clientHeight));
    observer.observe(node);
    return () => observer.disconnect();
  }, []);

  const show = (to: number): void => {
    const node = ref.current;
    const row = rows[to];
    setActive(row.path);
    if (node) {
      node.scrollTop = scrollToShow(to, node.scrollTop, room, ROW);
      setScrollTop(node.scrollTop);
    }
    if (row.file) {
      onChoose(row.path);
    }
  };

  const toggle = (row: IFileRow, isOpen: boolean): void => {
    const next = new Set(closed);
    if (isOpen) {
      next.delete(row.path);
    } else {
      next.add(row.path);
    }
    setClosed(next);
  };

  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const row: IFileRow | undefined = rows[index];
    const page = Math.floor(room / ROW);
    const to = rowAfterKey(event.key, index, page, rows.length);
    if (to !== null) {
      show(to);
    } else if (event.key === 'Enter' && row) {
      if (row.file) {
        onChoose(row.path);
      } else {
        toggle(row, !row.isOpen);
      }
    } else if (event.key === 'ArrowLeft' && row) {
      if (!row.file && row.isOpen) {
        toggle(row, false);
      } else {
        const parent = parentOf(rows, index);
        if (parent >= 0) {
          show(parent);
        }
      }
    } else if (event.key === 'ArrowRight' && row && !row.file) {
      toggle(row, true);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <nav
      className="jp-DotscienceDifference-files"
      aria-label={trans.__('Files that differ')}
    >
      <div className="jp-DotscienceDifference-filter">
        <input
          type="search"
          className="jp-mod-styled"
          placeholder={trans.__('Filter files')}
          aria-label={trans.__('Filter files')}
          value={filter}
          onChange={event => setFilter(event.target.value)}
        />
        <label>
          <input
            type="checkbox"
            checked={tree}
            onChange={event => props.onTree(event.target.checked)}
          />
          {trans.__('Folders')}
        </label>
      </div>
      <p className="jp-DotscienceDifference-counts" role="status">
        {countsText(files, found.length, total, trans)}
      </p>
      <div
        ref={ref}
        className="jp-DotscienceFiles"
        role="tree"
        tabIndex={0}
        aria-label={trans.__('Files that differ')}
        aria-activedescendant={
          index >= first && index < end ? `${base}-${index}` : undefined
        }
        onScroll={event => setScrollTop(event.currentTarget.scrollTop)}
        onKeyDown={onKeyDown}
      >
        <div role="presentation" style={{ height: rows.length * ROW }}>
          {rows.slice(first, end).map((row, offset) => (
            <Row
              key={`${row.file ? 'f' : 'd'} ${row.path}`}
              id={`${base}-${first + offset}`}
              row={row}
              top={(first + offset) * ROW}
              isActive={first + offset === index}
              isChosen={row.file !== null && row.path === path}
              onClick={() => {
                setActive(row.path);
                if (row.file) {
                  onChoose(row.path);
                } else {
                  toggle(row, !row.isOpen);
                }
              }}
              trans={trans}
            />
          ))}
        </div>
      </div>
    </nav>
  );
}

function Row(props: {
  id: string;
  row: IFileRow;
  top: number;
  isActive: boolean;
  isChosen: boolean;
  onClick: () => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { id, row, top, isActive, isChosen, onClick, trans } = props;
  const { file } = row;
  const Caret = row.isOpen ? caretDownIcon : caretRightIcon;
  const title = file?.old_path
    ? trans.__('%1, before: %2', file.path, file.old_path)
    : row.path;
  return (
    <div
      id={id}
      className={`jp-DotscienceFiles-row${isActive ? ' jp-mod-active' : ''}${isChosen ? ' jp-mod-chosen' : ''}`}
      role="treeitem"
      aria-level={row.level}
      aria-expanded={file ? undefined : row.isOpen}
      aria-selected={isChosen}
      title={title}
      style={{ top, height: ROW, paddingLeft: 8 + (row.level - 1) * 14 }}
      onClick={onClick}
    >
      {file ? (
        <ChangeLetter change={file.change} trans={trans} />
      ) : (
        <Caret.react tag="span" width="16px" height="16px" />
      )}
      <span className="jp-DotscienceFiles-name">{row.name}</span>
      <span className="jp-DotscienceFiles-count">
        {file ? (
          <>
            {file.added !== null && file.added > 0 && (
              <span className="jp-mod-added">+{file.added}</span>
            )}
            {file.removed !== null && file.removed > 0 && (
              <span className="jp-mod-removed">-{file.removed}</span>
            )}
          </>
        ) : (
          row.count
        )}
      </span>
    </div>
  );
}

/**
 * The letter of a change, and for who does not know it its name.
 */
export function ChangeLetter(props: {
  change: ComparedFile['change'];
  trans: TranslationBundle;
}): JSX.Element {
  const { change, trans } = props;
  const names = {
    added: [trans.__('A'), trans.__('added')],
    modified: [trans.__('M'), trans.__('modified')],
    removed: [trans.__('D'), trans.__('removed')],
    renamed: [trans.__('R'), trans.__('renamed')]
  };
  const [letter, name] = names[change];
  return (
    <span className={`jp-DotscienceLetter jp-mod-${change}`} title={name}>
      <span aria-hidden="true">{letter}</span>
      <span className="jp-Dotscience-visuallyHidden">{name}</span>
    </span>
  );
}

function countsText(
  files: readonly ComparedFile[],
  found: number,
  total: number,
  trans: TranslationBundle
): string {
  if (found < files.length) {
    return trans.__('%1 of %2 files', found, total);
  }
  if (files.length < total) {
    return trans.__('%1 files; reading on…', total);
  }
  const count = (change: ComparedFile['change']): number =>
    files.filter(file => file.change === change).length;
  return trans.__(
    '%1 added, %2 modified, %3 removed, %4 renamed',
    count('added'),
    count('modified'),
    count('removed'),
    count('renamed')
  );
}

function parentOf(rows: readonly IFileRow[], index: number): number {
  for (let at = index - 1; at >= 0; at--) {
    if (rows[at].level < rows[index].level) {
      return at;
    }
  }
  return -1;
}
