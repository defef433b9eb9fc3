/** Complaints about operands and attributes: what was expected, what was found. */
import { shapeError } from "../op.ts";
import { type DType, dtypes, printType, type Shape, type TensorType, tensor } from "../type.ts";

export const numeric: readonly DType[] = ["f32", "i32"];
export const ordered: readonly DType[] = ["f32", "i32", "u8"];

/** Results never inherit the layout of an operand. */
export const plain = (t: TensorType): TensorType => tensor(t.dtype, t.shape);

export function expectDType(op: string, operand: string, t: TensorType, allowed: readonly DType[]): void {
  if (allowed.includes(t.dtype)) return;
  shapeError(
    `${op} expects ${operand} of type ${allowed.join(" or ")}, got ${printType(t)}`,
    `convert it: cast(${operand}, ${allowed[0]})`,
  );
}

export function expectSameDType(op: string, a: string, ta: TensorType, b: string, tb: TensorType): void {
  if (ta.dtype === tb.dtype) return;
  shapeError(
    `${op} expects operands of one type, got ${a} ${printType(ta)} and ${b} ${printType(tb)}`,
    `convert one: cast(${b}, ${ta.dtype})`,
  );
}

/** `axes` names what the dimensions mean: "N, C, H, W". */
export function expectRank(op: string, operand: string, t: TensorType, rank: number, axes: string): void {
  if (t.shape.length !== rank) shapeError(`${op} expects ${operand} with ${rank} dimensions (${axes}), got ${printType(t)}`);
}

export function expectAxis(op: string, t: TensorType, axis: number): void {
  if (Number.isInteger(axis) && axis >= 0 && axis < t.shape.length) return;
  const range = t.shape.length ? `0 to ${t.shape.length - 1}` : "no axis (it is a scalar)";
  shapeError(`${op}: axis ${axis} does not exist, ${printType(t)} has ${range}`);
}

export function expectAxes(op: string, t: TensorType, axes: readonly number[]): void {
  for (const axis of axes) expectAxis(op, t, axis);
  if (new Set(axes).size !== axes.length) shapeError(`${op}: axes [${axes.join(", ")}] name an axis twice`);
}

/** A list attribute of `length` integers that are `least` or more. */
export function expectInts(op: string, name: string, list: readonly number[], length: number, least: number): void {
  if (list.length !== length) shapeError(`${op} expects ${length} numbers for ${name}, got [${list.join(", ")}]`);
  const wrong = list.find((v) => !Number.isInteger(v) || v < least);
  if (wrong !== undefined) shapeError(`${op}: ${name} must be integers of at least ${least}, got [${list.join(", ")}]`);
}

export function expectShape(op: string, shape: Shape): Shape {
  if (!shape.every((d) => Number.isInteger(d) && d > 0)) {
    shapeError(`${op}: every dimension must be a positive integer, got [${shape.join(", ")}]`);
  }
  return shape;
}

export function dtypeNamed(op: string, text: string): DType {
  const found = dtypes.find((d) => d === text);
  return found ?? shapeError(`${op}: there is no element type "${text}"; there are ${dtypes.join(", ")}`);
}
