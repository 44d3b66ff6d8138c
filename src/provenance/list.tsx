// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { GraphNode } from '../api/schema';
import { TextButton } from '../run/components';
import { formatTime } from '../run/format';
import type { ProvenanceModel } from './model';
import { NodeIcon } from './nodes';
import { nodeSubtitle, nodeTitle } from './words';

/** How many items are listed at first, and more at a time. */
const PAGE = 100;

type Way = 'up' | 'down';

/**
 * The same graph as nested lists, which unfold along the edges.
 */
export function List(props: {
  model: ProvenanceModel;
  found: ReadonlySet<string> | null;
  onChoose: (id: string) => void;
  onOpen: (id: string) => void;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, found, trans } = props;
  const { graph, query, start } = model;
  const [length, setLength] = React.useState(PAGE);
  if (!graph) {
    return null;
  }
  const isWhole = query.start === '';
  const ways: Way[] =
    query.direction === 'both' ? ['up', 'down'] : [query.direction];
  const roots = (
    found
      ? [...graph.nodes.values()].filter(({ id }) => found.has(id))
      : isWhole
        ? [...graph.nodes.values()].filter(({ kind }) => kind === 'run')
        : start.flatMap(id => graph.nodes.get(id) ?? [])
  ).sort((a, b) => b.order - a.order);
  const heading: { [way in Way]: string } = {
    up: isWhole
      ? trans.__('Runs, and what they were made from')
      : trans.__('What it was made from'),
    down: isWhole
      ? trans.__('Runs, and what came of them')
      : trans.__('What came of it')
  };
  return (
    <div className="jp-DotscienceTree-host">
      {ways.map(way => (
        <section key={way} aria-label={heading[way]}>
          <h2>{heading[way]}</h2>
          <Tree
            {...props}
            label={heading[way]}
            roots={roots.slice(0, length)}
            way={way}
            key={model.generation}
          />
        </section>
      ))}
      {roots.length > length && (
        <TextButton onClick={() => setLength(length + PAGE)}>
          {trans.__('Show more (%1 of %2 are shown)', length, roots.length)}
        </TextButton>
      )}
    </div>
  );
}

interface ITreeProps {
  model: ProvenanceModel;
  label: string;
  roots: readonly GraphNode[];
  way: Way;
  onChoose: (id: string) => void;
  onOpen: (id: string) => void;
  trans: TranslationBundle;
}

/**
 * A place in the tree: the ids from the root to it.
 */
interface IItem {
  key: string;
  id: string;
  parent: string | null;
  children: readonly string[];
  more: number;
}

function Tree(props: ITreeProps): JSX.Element {
  const { model, roots, way, label, trans, onOpen, onChoose } = props;
  const graph = model.graph;
  const [unfolded, setUnfolded] = React.useState<ReadonlySet<string>>(
    () => new Set(roots.length === 1 ? [keyOf([], roots[0].id)] : [])
  );
  const [current, setCurrent] = React.useState<string | null>(null);
  const tree = React.useRef<HTMLUListElement>(null);

  const visible: IItem[] = [];
  const visit = (id: string, above: readonly string[]): void => {
    const key = keyOf(above, id);
    const path = [...above, id];
    const next = (way === 'up' ? graph?.up(id) : graph?.down(id)) ?? [];
    visible.push({
      key,
      id,
      parent:
        above.length > 0
          ? keyOf(above.slice(0, -1), above[above.length - 1])
          : null,
      children: next,
      more: (way === 'up' ? graph?.hiddenUp(id) : graph?.hiddenDown(id)) ?? 0
    });
    if (unfolded.has(key)) {
      // edges go with time, but records of others may go round
      next
        .filter(child => !path.includes(child))
        .forEach(child => visit(child, path));
    }
  };
  roots.forEach(({ id }) => visit(id, []));
  const byKey = new Map(visible.map(item => [item.key, item]));
  const focused =
    current !== null && byKey.has(current)
      ? current
      : (visible[0]?.key ?? null);

  const toggle = (item: IItem, open: boolean): void => {
    const changed = new Set(unfolded);
    if (open) {
      changed.add(item.key);
      if (item.children.length === 0 && item.more > 0) {
        void model.showMore(item.id, way);
      }
    } else {
      changed.delete(item.key);
    }
    setUnfolded(changed);
  };
  const moveTo = (key: string | null | undefined): void => {
    if (key === null || key === undefined) {
      return;
    }
    setCurrent(key);
    const items =
      tree.current?.querySelectorAll<HTMLElement>('[role=treeitem]');
    items?.forEach(node => {
      if (node.dataset.key === key) {
        node.focus();
      }
    });
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const item = focused === null ? undefined : byKey.get(focused);
    if (!item || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const index = visible.indexOf(item);
    const isOpen = unfolded.has(item.key);
    const hasMore = item.children.length > 0 || item.more > 0;
    switch (event.key) {
      case 'ArrowDown':
        moveTo(visible[index + 1]?.key);
        break;
      case 'ArrowUp':
        moveTo(visible[index - 1]?.key);
        break;
      case 'ArrowRight':
        if (hasMore && !isOpen) {
          toggle(item, true);
        } else if (isOpen) {
          moveTo(
            visible[index + 1]?.parent === item.key
              ? visible[index + 1].key
              : null
          );
        }
        break;
      case 'ArrowLeft':
        if (isOpen) {
          toggle(item, false);
        } else {
          moveTo(item.parent);
        }
        break;
      case 'Home':
        moveTo(visible[0]?.key);
        break;
      case 'End':
        moveTo(visible[visible.length - 1]?.key);
        break;
      case 'Enter':
        onOpen(item.id);
        break;
      case ' ':
        onChoose(item.id);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const draw = (id: string, above: readonly string[]): JSX.Element | null => {
    const key = keyOf(above, id);
    const item = byKey.get(key);
    const node = graph?.nodes.get(id);
    if (!item || !node) {
      return null;
    }
    const path = [...above, id];
    const canUnfold = item.children.length > 0 || item.more > 0;
    const isOpen = canUnfold && unfolded.has(key);
    const children = item.children.filter(child => !path.includes(child));
    const failed = node.status === 'failed';
    return (
      <li
        key={key}
        role="treeitem"
        data-key={key}
        tabIndex={key === focused ? 0 : -1}
        aria-level={path.length}
        aria-selected={model.selected === id}
        aria-expanded={canUnfold ? isOpen : undefined}
        onFocus={event => {
          if (event.target === event.currentTarget) {
            setCurrent(key);
          }
        }}
      >
        <div
          className={`jp-DotscienceTree-row${model.selected === id ? ' jp-mod-selected' : ''}`}
          onClick={() => {
            moveTo(key);
            onChoose(id);
          }}
          onDoubleClick={() => onOpen(id)}
        >
          <span
            className="jp-DotscienceTree-twist"
            aria-hidden="true"
            onClick={event => {
              event.stopPropagation();
              toggle(item, !isOpen);
            }}
          >
            {canUnfold ? (isOpen ? '▾' : '▸') : ''}
          </span>
          <NodeIcon shown={{ kind: node.kind, node }} />
          <span className="jp-DotscienceTree-title">
            {nodeTitle(node, trans)}
          </span>
          {failed && (
            <span className="jp-Dotscience-badge jp-mod-error">
              {trans.__('✕ failed')}
            </span>
          )}
          {node.workspace !== null && (
            <span className="jp-Dotscience-badge">{model.otherOf(node)}</span>
          )}
          {node.source && (
            <span className="jp-Dotscience-badge">{trans.__('raw data')}</span>
          )}
          {node.models.length > 0 && (
            <span className="jp-Dotscience-badge jp-mod-warn">
              {trans.__('★ %1', node.models.join(', '))}
            </span>
          )}
          <span className="jp-DotscienceTree-facts">
            {nodeSubtitle(node, trans)}
          </span>
          <span className="jp-DotscienceTree-facts">
            {formatTime(node.created)}
          </span>
        </div>
        {isOpen && children.length > 0 && (
          <ul role="group">{children.map(child => draw(child, path))}</ul>
        )}
      </li>
    );
  };
  return (
    <ul
      ref={tree}
      className="jp-DotscienceTree"
      role="tree"
      aria-label={label}
      onKeyDown={onKeyDown}
    >
      {roots.map(({ id }) => draw(id, []))}
    </ul>
  );
}

function keyOf(above: readonly string[], id: string): string {
  return JSON.stringify([...above, id]);
}
