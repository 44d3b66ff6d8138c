// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Edge } from '@xyflow/react';
import {
  MarkerType,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore
} from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import * as React from 'react';

import type { IArrangement, IShownEdge, IShownNode } from './arrange';
import { bringIntoView, extentOf, positionOf, useViewport } from './camera';
import { handleKey } from './keys';
import type { ProvenanceModel } from './model';
import type { FlowNode, INodeData } from './nodes';
import { Artefact, GRID, NODE } from './nodes';
import { edgeSentence, nodeSentence, shownTitle } from './words';

/** Below this zoom texts cannot be read and are not drawn. */
const FAR = 0.4;

/** Edges over more columns or rows are drawn faintly. */
const LONG = { x: 5, y: 12 };

/** How many dashes an edge has at most. */
const DASHES = 120;

const NODE_TYPES = { artefact: Artefact };
const MARKER = {
  type: MarkerType.ArrowClosed,
  width: 16,
  height: 16,
  color: 'var(--jp-dotscience-edge)'
};

/**
 * What the drawing needs.
 */
export interface IFlowProps {
  model: ProvenanceModel;

  /** Nodes that are found by the search. */
  found: ReadonlySet<string>;

  /** Show this node in the middle, whenever it is another object. */
  centre: { id: string } | null;

  /** A node was chosen by click or key. */
  onChoose: (id: string) => void;

  /** A node was asked to open. */
  onOpen: (id: string) => void;

  /** Escape was pressed. */
  onEscape: () => void;

  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}

/**
 * The drawing of the graph.
 */
export default function Flow(props: IFlowProps): JSX.Element {
  return (
    <ReactFlowProvider>
      <Drawing {...props} />
    </ReactFlowProvider>
  );
}

function Drawing(props: IFlowProps): JSX.Element {
  const { model, found, centre, onChoose, onOpen, onEscape, trans } = props;
  const { arrangement, selected } = model;
  const prefix = React.useId();
  const flow = useReactFlow<FlowNode>();
  const isDark = useDark(props.themeManager);
  const isFar = useStore(state => state.transform[2] < FAR);
  const domIds = React.useRef(new Map<string, string>());
  const domId = (id: string): string => {
    const ids = domIds.current;
    const known = ids.get(id) ?? `${prefix}-${ids.size}`;
    ids.set(id, known);
    return known;
  };

  const nodes = React.useMemo(() => {
    const actions = {
      onMore: (id: string, direction: 'up' | 'down') =>
        void model.showMore(id, direction),
      onExpand: (id: string) => model.expandChain(id),
      trans
    };
    return [...arrangement.nodes.values()].map(shown =>
      drawnNode(shown, {
        ...actions,
        domId: domId(shown.id),
        colour: model.colourOf(model.programOf(shown.node.id)),
        sentence: nodeSentence(shown, trans)
      })
    );
  }, [arrangement, model, trans]);
  const edges = React.useMemo(
    () => drawnEdges(arrangement, trans),
    [arrangement, trans]
  );

  // Only what changed is a new object, so that only that is drawn anew.
  const marked = React.useMemo(
    () =>
      nodes.map(node => {
        const isSelected = node.id === selected;
        const isFound = found.has(node.id);
        return isSelected || isFound
          ? {
              ...node,
              selected: isSelected,
              className: classesOf(node.data.shown, isFound)
            }
          : node;
      }),
    [nodes, selected, found]
  );
  const lit = React.useMemo(
    () =>
      edges.map(edge =>
        edge.source === selected || edge.target === selected
          ? {
              ...edge,
              className: `${edge.className} jp-mod-touching`,
              zIndex: 1
            }
          : edge
      ),
    [edges, selected]
  );

  const extent = React.useMemo(() => extentOf(arrangement), [arrangement]);
  useViewport(model, centre);

  // what is selected is to be seen, also when the sheet opened over it
  const shownNode =
    selected === null ? undefined : arrangement.nodes.get(selected);
  const width = useStore(state => state.width);
  const height = useStore(state => state.height);
  React.useEffect(() => {
    if (shownNode && width > 0) {
      bringIntoView(flow, shownNode, { width, height });
    }
  }, [selected, width, height]);
  const container = React.useRef<HTMLDivElement>(null);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.target !== container.current) {
      return;
    }
    const done = handleKey(event, {
      arrangement,
      selected,
      start: model.start,
      select: id => {
        model.select(id);
      },
      choose: onChoose,
      open: onOpen,
      escape: onEscape,
      zoom: way => {
        void (way > 0
          ? flow.zoomIn()
          : way < 0
            ? flow.zoomOut()
            : flow.fitView({ maxZoom: 1 }));
      }
    });
    if (done) {
      event.preventDefault();
      event.stopPropagation();
    }
  };

  // arrow heads are found by ids, which tabs must not share
  const flowId = prefix.replace(/\W/g, '');
  const hintId = `${prefix}-hint`;
  // what is not in view is not drawn, so readers must not be sent there
  const isDrawn = useStore(state => {
    const node = selected === null ? null : state.nodeLookup.get(selected);
    if (!node) {
      return false;
    }
    const [x, y, zoom] = state.transform;
    const left = node.internals.positionAbsolute.x * zoom + x;
    const top = node.internals.positionAbsolute.y * zoom + y;
    return (
      left + NODE.width * zoom > 0 &&
      left < state.width &&
      top + NODE.height * zoom > 0 &&
      top < state.height
    );
  });
  return (
    <div
      ref={container}
      className={`jp-DotscienceFlow${isFar ? ' jp-mod-far' : ''}`}
      role="application"
      tabIndex={0}
      aria-label={trans.__('Graph of runs and file versions')}
      aria-describedby={hintId}
      aria-activedescendant={
        selected !== null && isDrawn ? domId(selected) : undefined
      }
      onKeyDown={onKeyDown}
    >
      <span id={hintId} className="jp-Dotscience-visuallyHidden">
        {trans.__(
          'Arrow keys follow the edges, Space shows what a node is, Enter opens it, Escape goes back. The same graph is there as a list.'
        )}
      </span>
      <ReactFlow
        id={flowId}
        nodes={marked}
        edges={lit}
        nodeTypes={NODE_TYPES}
        colorMode={isDark ? 'dark' : 'light'}
        minZoom={0.08}
        maxZoom={2}
        translateExtent={extent}
        onlyRenderVisibleElements
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        deleteKeyCode={null}
        selectionKeyCode={null}
        multiSelectionKeyCode={null}
        panActivationKeyCode={null}
        panOnScroll
        zoomOnDoubleClick={false}
        onNodeClick={(_, node) => {
          container.current?.focus();
          onChoose(node.id);
        }}
        onNodeDoubleClick={(_, node) => onOpen(node.id)}
        onPaneClick={() => {
          container.current?.focus();
          model.select(null);
        }}
      />
      <div
        className="jp-DotscienceFlow-zoom"
        role="group"
        aria-label={trans.__('Zoom')}
      >
        <ZoomButton
          label={trans.__('Zoom in')}
          text="+"
          onClick={() => void flow.zoomIn()}
        />
        <ZoomButton
          label={trans.__('Zoom out')}
          text="−"
          onClick={() => void flow.zoomOut()}
        />
        <ZoomButton
          label={trans.__('Show everything')}
          text="⤢"
          onClick={() => void flow.fitView({ maxZoom: 1 })}
        />
      </div>
    </div>
  );
}

function ZoomButton(props: {
  label: string;
  text: string;
  onClick: () => void;
}): JSX.Element {
  return (
    <button
      type="button"
      className="jp-DotscienceButton"
      title={props.label}
      aria-label={props.label}
      onClick={props.onClick}
    >
      {props.text}
    </button>
  );
}

function classesOf(shown: IShownNode, found: boolean): string {
  return [shown.dimmed ? 'jp-mod-dimmed' : '', found ? 'jp-mod-found' : '']
    .join(' ')
    .trim();
}

function drawnNode(
  shown: IShownNode,
  data: Omit<INodeData, 'shown'>
): FlowNode {
  return {
    id: shown.id,
    type: 'artefact',
    position: positionOf(shown),
    className: classesOf(shown, false),
    data: { ...data, shown } as INodeData,
    ...NODE,
    // what was never in view would never be measured, and "everything" never be shown
    measured: NODE,
    // known beforehand, so that edges to what is not in view are drawn too
    handles: [
      handle('target', Position.Left, 0),
      handle('source', Position.Right, NODE.width)
    ],
    domAttributes: { 'aria-roledescription': undefined }
  };
}

function handle(type: 'source' | 'target', position: Position, x: number) {
  return { type, position, x, y: NODE.height / 2, width: 1, height: 1 };
}

function drawnEdges(
  arrangement: IArrangement,
  trans: TranslationBundle
): Edge[] {
  const title = (id: string): string => {
    const shown = arrangement.nodes.get(id);
    return shown ? shownTitle(shown, trans) : '';
  };
  const reach = ({ source, target }: IShownEdge): { x: number; y: number } => {
    const from = arrangement.nodes.get(source)?.place;
    const to = arrangement.nodes.get(target)?.place;
    return from && to
      ? {
          x: Math.abs(to.layer - from.layer),
          y: Math.abs(to.row - from.row)
        }
      : { x: 0, y: 0 };
  };
  const isLong = (edge: IShownEdge): boolean => {
    const { x, y } = reach(edge);
    return x > LONG.x || y > LONG.y;
  };
  const dashes = (edge: IShownEdge): string | undefined => {
    if (!edge.derived && edge.kind !== 'same') {
      return undefined;
    }
    // browsers draw a line of thousands of dashes too slowly to move it about
    const { x, y } = reach(edge);
    const dash = Math.max(5, (x * GRID.x + y * GRID.y) / DASHES);
    return edge.kind === 'same'
      ? `1 ${dash}`
      : `${dash.toFixed(1)} ${(dash * 0.8).toFixed(1)}`;
  };
  return arrangement.edges.map(edge => ({
    id: edge.id,
    source: edge.source,
    target: edge.target,
    ariaLabel: edgeSentence(
      edge,
      title(edge.source),
      title(edge.target),
      trans
    ),
    className: [
      `jp-mod-${edge.kind}`,
      isLong(edge) ? 'jp-mod-long' : '',
      edge.dimmed ? 'jp-mod-dimmed' : ''
    ]
      .join(' ')
      .trim(),
    style: { strokeDasharray: dashes(edge) },
    markerEnd: edge.kind === 'same' ? undefined : MARKER
  }));
}

/**
 * Whether the theme is dark, now and after it changed.
 */
function useDark(themeManager: IThemeManager | null): boolean {
  const read = (): boolean =>
    themeManager?.theme
      ? !themeManager.isLight(themeManager.theme)
      : document.body.dataset.jpThemeLight === 'false';
  const [isDark, setDark] = React.useState(read);
  React.useEffect(() => {
    const update = () => setDark(read());
    const owner = {};
    themeManager?.themeChanged.connect(update, owner);
    return () => {
      themeManager?.themeChanged.disconnect(update, owner);
    };
  }, [themeManager]);
  return isDark;
}
