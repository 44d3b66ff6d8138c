// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';
import { fileIcon, notebookIcon } from '@jupyterlab/ui-components';
import type { Node, NodeProps } from '@xyflow/react';
import { Handle, Position } from '@xyflow/react';
import * as React from 'react';

import { runIcon } from '../icons';
import type { IShownNode } from './arrange';
import { nodeSubtitle, shownTitle } from './words';

/** The size of a node, in pixels of the graph. */
export const NODE = { width: 200, height: 52 };

/** How far apart columns and rows are. */
export const GRID = { x: 252, y: 70 };

/**
 * What a node is drawn from.
 */
export interface INodeData extends Record<string, unknown> {
  shown: IShownNode;

  /** The DOM id of the node. */
  domId: string;

  /** The number of its program's colour. */
  colour: number | null;

  /** The node in one sentence. */
  sentence: string;

  /** The name of the other workspace that it is in; null for the one at hand. */
  workspace: string | null;

  /** Show what was left out. */
  onMore: (id: string, direction: 'up' | 'down') => void;

  /** Show the nodes of a chain. */
  onExpand: (id: string) => void;

  trans: TranslationBundle;
}

/**
 * A node of the drawing.
 */
export type FlowNode = Node<INodeData, 'artefact'>;

/**
 * A run, a file version or a chain of runs as it is drawn.
 */
export const Artefact = React.memo(function Artefact(
  props: NodeProps<FlowNode>
): JSX.Element {
  const { shown, domId, colour, sentence, workspace } = props.data;
  const { onMore, onExpand, trans } = props.data;
  const { id, kind, node, moreUp, moreDown } = shown;
  const failed = kind === 'run' && node.status === 'failed';
  const classes = ['jp-DotscienceNode', `jp-mod-${kind}`];
  if (colour !== null) {
    classes.push(`jp-mod-colour${colour}`);
  }
  if (failed) {
    classes.push('jp-mod-failed');
  }
  if (node.source) {
    classes.push('jp-mod-source');
  }
  return (
    <div
      id={domId}
      className={classes.join(' ')}
      role="group"
      aria-label={sentence}
    >
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <Handle type="source" position={Position.Right} isConnectable={false} />
      <span className="jp-DotscienceNode-stripe" />
      <span className="jp-DotscienceNode-body">
        <span className="jp-DotscienceNode-title">
          <NodeIcon shown={shown} />
          <span title={shownTitle(shown, trans)}>
            {shownTitle(shown, trans)}
          </span>
        </span>
        <span className="jp-DotscienceNode-facts">
          {failed && (
            <span className="jp-Dotscience-badge jp-mod-error">
              {trans.__('✕ failed')}
            </span>
          )}
          {workspace !== null && (
            <span
              className="jp-Dotscience-badge"
              title={trans.__('In another workspace: %1', workspace)}
            >
              {workspace}
            </span>
          )}
          {kind !== 'chain' && node.source && (
            <span className="jp-Dotscience-badge">{trans.__('raw data')}</span>
          )}
          {kind !== 'chain' && node.models.length > 0 && (
            <span
              className="jp-Dotscience-badge jp-mod-warn"
              title={node.models.join('\n')}
            >
              {trans.__('★ %1', node.models.join(', '))}
            </span>
          )}
          {kind === 'chain' ? (
            <button
              type="button"
              tabIndex={-1}
              className="jp-DotscienceButton nopan"
              onClick={event => {
                event.stopPropagation();
                onExpand(id);
              }}
            >
              {trans.__('Show all')}
            </button>
          ) : (
            <span className="jp-DotscienceNode-subtitle">
              {nodeSubtitle(node, trans)}
            </span>
          )}
        </span>
      </span>
      {(['up', 'down'] as const).map(direction => {
        const count = direction === 'up' ? moreUp : moreDown;
        if (count === 0) {
          return null;
        }
        const label = moreLabel(count, direction, trans);
        return (
          <button
            key={direction}
            type="button"
            tabIndex={-1}
            className={`jp-DotscienceNode-more jp-mod-${direction} nopan`}
            title={label}
            aria-label={label}
            onClick={event => {
              event.stopPropagation();
              onMore(id, direction);
            }}
          >
            {`+${count}`}
          </button>
        );
      })}
    </div>
  );
});

/**
 * What the button says that shows neighbours which were left out.
 */
export function moreLabel(
  count: number,
  direction: 'up' | 'down',
  trans: TranslationBundle
): string {
  return direction === 'up'
    ? trans._n(
        'Show %1 more that it was made from',
        'Show %1 more that it was made from',
        count,
        count
      )
    : trans._n(
        'Show %1 more that came of it',
        'Show %1 more that came of it',
        count,
        count
      );
}

/**
 * The icon of a node.
 */
export function NodeIcon(props: {
  shown: Pick<IShownNode, 'kind' | 'node'>;
}): JSX.Element {
  const { kind, node } = props.shown;
  const icon: LabIcon =
    kind === 'file'
      ? node.path?.endsWith('.ipynb')
        ? notebookIcon
        : fileIcon
      : runIcon;
  return <icon.react tag="span" className="jp-DotscienceNode-icon" />;
}
