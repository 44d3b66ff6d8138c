// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Edge } from '@xyflow/react';
import {
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore
} from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import * as React from 'react';

import type { IShownNode } from './arrange';
import { Backdrop } from './backdrop';
import {
  bringIntoView,
  extentOf,
  positionOf,
  useViewport,
  viewOfAll
} from './camera';
import { drawnEdges } from './edges';
import { handleKey } from './keys';
import type { ProvenanceModel } from './model';
import type { FlowNode, INodeData } from './nodes';
import { Artefact, NODE } from './nodes';
import { Picture } from './picture';
import { nodeSentence, shownTitle } from './words';

/** Below this zoom texts cannot be read: a picture is shown in place of the nodes. */
const FAR = 0.4;

/** The smallest zoom, unless more is needed to see everything. */
const SMALLEST = 0.08;

/** More lines than this are painted: as elements of the page they are too slow to move about. */
const MANY = 150;

const NODE_TYPES = { artefact: Artefact };
const NO_EDGES: Edge[] = [];

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
  const { isDark, theme } = useTheme(props.themeManager);
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
    return [...arrangement.nodes.values()].map(shown => {
      const workspace =
        shown.kind === 'chain' ? null : model.otherOf(shown.node);
      const sentence = nodeSentence(shown, trans);
      return drawnNode(shown, {
        ...actions,
        domId: domId(shown.id),
        colour: model.colourOf(model.programOf(shown.node.id)),
        workspace,
        sentence:
          workspace === null
            ? sentence
            : trans.__('%1, in workspace %2', sentence, workspace)
      });
    });
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

  // from far away only the selected node is an element of the page, the others are painted
  const alone = React.useMemo(
    () => (isFar ? marked.filter(({ id }) => id === selected) : []),
    [isFar, marked, selected]
  );
  const isPainted = isFar || edges.length > MANY;
  const picture = React.useMemo(
    () =>
      isPainted
        ? new Picture(arrangement, ({ node }) =>
            model.colourOf(model.programOf(node.id))
          )
        : null,
    [isPainted, arrangement, model]
  );
  const marks = React.useMemo(() => ({ selected, found }), [selected, found]);
  const pointedAt = (event: {
    clientX: number;
    clientY: number;
  }): IShownNode | undefined => {
    const { x, y } = flow.screenToFlowPosition({
      x: event.clientX,
      y: event.clientY
    });
    return isFar ? picture?.nodeAt(x, y, flow.getZoom()) : undefined;
  };
  const choose = (id: string): void => {
    container.current?.focus();
    onChoose(id);
  };

  const extent = React.useMemo(() => extentOf(arrangement), [arrangement]);
  useViewport(model, centre);

  // what is selected is to be seen, also when the sheet opened over it
  const shownNode =
    selected === null ? undefined : arrangement.nodes.get(selected);
  const width = useStore(state => state.width);
  const height = useStore(state => state.height);
  const all = React.useMemo(
    () => viewOfAll(arrangement, { width, height }),
    [arrangement, width, height]
  );
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
            : flow.setViewport(all));
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
    if (!shownNode) {
      return false;
    }
    const place = positionOf(shownNode);
    const [x, y, zoom] = state.transform;
    const left = place.x * zoom + x;
    const top = place.y * zoom + y;
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
        nodes={isFar ? alone : marked}
        edges={isPainted ? NO_EDGES : lit}
        nodeTypes={NODE_TYPES}
        colorMode={isDark ? 'dark' : 'light'}
        minZoom={Math.min(SMALLEST, all.zoom)}
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
        onNodeClick={(_, node) => choose(node.id)}
        onNodeDoubleClick={(_, node) => onOpen(node.id)}
        onPaneClick={event => {
          const shown = pointedAt(event);
          if (shown) {
            choose(shown.id);
          } else {
            container.current?.focus();
            model.select(null);
          }
        }}
        onPaneMouseMove={event => {
          const shown = pointedAt(event);
          const pane = event.currentTarget as HTMLElement;
          pane.style.cursor = shown ? 'pointer' : '';
          pane.title = shown ? shownTitle(shown, trans) : '';
        }}
      >
        {picture && (
          <Backdrop
            picture={picture}
            marks={marks}
            count={isFar ? arrangement.nodes.size : null}
            theme={theme}
            trans={trans}
          />
        )}
      </ReactFlow>
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
          onClick={() => void flow.setViewport(all)}
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

/**
 * Whether the theme is dark, and a number that is another after each change of it.
 */
function useTheme(themeManager: IThemeManager | null): {
  isDark: boolean;
  theme: number;
} {
  const isDark = themeManager?.theme
    ? !themeManager.isLight(themeManager.theme)
    : document.body.dataset.jpThemeLight === 'false';
  const [theme, setTheme] = React.useState(0);
  React.useEffect(() => {
    const update = () => setTheme(number => number + 1);
    const owner = {};
    themeManager?.themeChanged.connect(update, owner);
    return () => {
      themeManager?.themeChanged.disconnect(update, owner);
    };
  }, [themeManager]);
  return { isDark, theme };
}
