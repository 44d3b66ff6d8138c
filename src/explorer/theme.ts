// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/** The theme's colours and fonts as a canvas takes them. */
export interface ITheme {
  readonly background: string;
  readonly header: string;
  readonly border: string;
  readonly text: string;
  readonly dim: string;
  readonly brand: string;
  readonly best: string;
  readonly error: string;
  readonly family: string;
  readonly size: number;
  readonly isLight: boolean;
}

/**
 * Read the theme where a node is; a canvas cannot use the variables themselves.
 */
export function readTheme(node: Element): ITheme {
  const style = getComputedStyle(node);
  const value = (name: string, otherwise: string): string =>
    style.getPropertyValue(name).trim() || otherwise;
  const isLight = document.body.dataset.jpThemeLight !== 'false';
  // The strongest of a theme's greens and reds are too dark for text on dark ground.
  const strong = isLight ? 0 : 2;
  return {
    background: value('--jp-layout-color1', 'white'),
    header: value('--jp-layout-color2', '#eee'),
    border: value('--jp-border-color2', '#ccc'),
    text: value('--jp-ui-font-color0', 'black'),
    dim: value('--jp-ui-font-color2', '#666'),
    brand: value('--jp-brand-color1', '#1976d2'),
    best: value(`--jp-success-color${strong}`, isLight ? '#1b5e20' : '#81c784'),
    error: value(`--jp-error-color${strong}`, isLight ? '#b71c1c' : '#e57373'),
    family: value('--jp-ui-font-family', 'sans-serif'),
    size: parseFloat(value('--jp-ui-font-size1', '13')) || 13,
    isLight
  };
}

/**
 * Colours that people with any kind of colour vision tell apart (Okabe and Ito, 2008; black left
 * out, yellow darkened on light ground).
 */
export function palette(isLight: boolean): string[] {
  return isLight
    ? [
        '#0072b2',
        '#d55e00',
        '#009e73',
        '#cc79a7',
        '#e69f00',
        '#56b4e9',
        '#8a7a00',
        '#666666'
      ]
    : [
        '#56b4e9',
        '#e69f00',
        '#00c793',
        '#e79cc6',
        '#f0e442',
        '#3d8fd1',
        '#ff7f32',
        '#b0b0b0'
      ];
}

/**
 * Colours from low to high, of growing (light theme: falling) distance from the ground (after
 * viridis by Smith and van der Walt, cut where it would vanish in the ground).
 */
export function ramp(isLight: boolean): string[] {
  return isLight
    ? ['#b8d532', '#4ac16d', '#1f978b', '#2e6e8e', '#443983', '#440154']
    : ['#6a5bb8', '#3d7fa6', '#22a585', '#5ec962', '#addc30', '#fde725'];
}
