// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { useStore } from '@xyflow/react';
import * as React from 'react';

import type { IMarks, Picture } from './picture';
import { readColours } from './picture';

/**
 * What of the graph is painted, behind what is made of elements of the page.
 */
export function Backdrop(props: {
  picture: Picture;
  marks: IMarks;

  /** How many nodes are painted too, from far away; null where only the lines are. */
  count: number | null;

  /** Another number whenever the theme may have other colours. */
  theme: number;

  trans: TranslationBundle;
}): JSX.Element {
  const { picture, marks, count, theme, trans } = props;
  const canvas = React.useRef<HTMLCanvasElement>(null);
  const [x, y, zoom] = useStore(state => state.transform);
  const width = useStore(state => state.width);
  const height = useStore(state => state.height);
  const colours = React.useRef<ReturnType<typeof readColours>>();
  React.useLayoutEffect(() => {
    colours.current = canvas.current ? readColours(canvas.current) : undefined;
  }, [theme]);
  React.useLayoutEffect(() => {
    const element = canvas.current;
    const brush = element?.getContext('2d');
    if (!element || !brush || !colours.current) {
      return;
    }
    const ratio = window.devicePixelRatio || 1;
    const size = {
      width: Math.round(width * ratio),
      height: Math.round(height * ratio)
    };
    if (element.width !== size.width || element.height !== size.height) {
      Object.assign(element, size);
    }
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.clearRect(0, 0, width, height);
    const look = { x, y, zoom, width, height };
    picture.paintLines(brush, look, marks, colours.current);
    if (count !== null) {
      picture.paintNodes(brush, look, marks, colours.current);
    }
  }, [picture, marks, count, theme, x, y, zoom, width, height]);
  return (
    <canvas
      ref={canvas}
      className="jp-DotscienceFlow-picture"
      {...(count === null
        ? { 'aria-hidden': true }
        : {
            role: 'img',
            'aria-label': trans._n(
              'Picture of %1 run or file version',
              'Picture of %1 runs and file versions',
              count,
              count
            )
          })}
    />
  );
}
