import type { Sample } from './world.ts';

export interface Line {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly { readonly at: number; readonly value: number }[];
}

const WIDTH = 900;
const HEIGHT = 260;
const LEFT = 50;
const BOTTOM = 40;
const TOP = 34;

/** A plot over time as an SVG document: one line each, with a legend and a scale of its own on both axes. */
export function plot(title: string, lines: readonly Line[], unitMs: number, unit: string): string {
  const last = Math.max(...lines.flatMap((line) => line.values.map((point) => point.at)), 1);
  const highest = Math.max(...lines.flatMap((line) => line.values.map((point) => point.value)), 1);
  const x = (at: number): number => LEFT + (at / last) * (WIDTH - LEFT - 20);
  const y = (value: number): number => HEIGHT - BOTTOM - (value / highest) * (HEIGHT - BOTTOM - TOP);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="18" font-weight="bold">${title}</text>`,
  ];
  for (let i = 0; i <= 4; i++) {
    const value = (highest * i) / 4;
    const at = (last * i) / 4;
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="#ddd"/>`,
      `<text x="${LEFT - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${Number(value.toFixed(1))}</text>`,
      `<text x="${x(at).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${Number((at / unitMs).toFixed(2))} ${unit}</text>`,
    );
  }
  for (const [i, line] of lines.entries()) {
    const path = line.values.map((point) => `${x(point.at).toFixed(1)},${y(point.value).toFixed(1)}`).join(' ');
    parts.push(
      `<polyline fill="none" stroke="${line.colour}" stroke-width="1.3" points="${path}"/>`,
      `<text x="${WIDTH - 20 - (lines.length - i - 1) * 150}" y="18" text-anchor="end" fill="${line.colour}">${line.name}</text>`,
    );
  }
  parts.push('</svg>');
  return `${parts.join('\n')}\n`;
}

/** Instances against demand, highest of each step. */
export function instanceLines(samples: readonly Sample[], name: string, colour: string, points = 400): Line {
  return { name, colour, values: thin(samples, points, (sample) => sample.instances) };
}

export function demandLine(samples: readonly Sample[], points = 400): Line {
  return { name: 'demand', colour: '#d62728', values: thin(samples, points, (sample) => sample.demand) };
}

function thin(
  samples: readonly Sample[],
  points: number,
  of: (sample: Sample) => number,
): readonly { at: number; value: number }[] {
  const step = Math.max(1, Math.ceil(samples.length / points));
  const values: { at: number; value: number }[] = [];
  for (let i = 0; i < samples.length; i += step) {
    const part = samples.slice(i, i + step);
    values.push({ at: part[0]?.at ?? 0, value: Math.max(...part.map(of)) });
  }
  return values;
}
