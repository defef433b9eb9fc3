/** The one list of operations. */
import type { Op } from "../op.ts";
import { argmax, argmin } from "./arg-reduce.ts";
import { avgPool2d, avgPool2dGrad, avgPool3d, avgPool3dGrad } from "./avg-pool.ts";
import { add, div, equal, less, lessEqual, logicalAnd, logicalOr, maximum, minimum, mod, mul, notEqual, pow, sub } from "./binary.ts";
import { broadcast } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { concat } from "./concat.ts";
import { conv2d, conv2dInputGrad, conv2dWeightGrad, conv2dWeightGradParts, conv3d, conv3dInputGrad, conv3dWeightGrad } from "./convolve.ts";
import { full, iota } from "./creation.ts";
import { gather } from "./gather.ts";
import { gradient } from "./gradient.ts";
import { counter, dense, input, param, prepared, slot, state, stored } from "./leaf.ts";
import { matmul } from "./matmul.ts";
import {
  maxPool2d,
  maxPool2dGrad,
  maxPool2dIndex,
  maxPool2dWinner,
  maxPool3d,
  maxPool3dGrad,
  maxPool3dIndex,
  maxPool3dWinner,
} from "./max-pool.ts";
import { oneHot } from "./one-hot.ts";
import { pad } from "./pad.ts";
import { permute } from "./permute.ts";
import { randomNormal, randomNumber, randomUniform } from "./random.ts";
import { reduceMax, reduceMin, reduceProd, reduceSum } from "./reduce.ts";
import { relayout } from "./relayout.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { logSoftmax, softmax } from "./softmax.ts";
import { mean, variance } from "./statistics.ts";
import { take } from "./take.ts";
import { collect, takeGrad } from "./take-grad.ts";
import {
  abs,
  ceil,
  cos,
  erf,
  exp,
  floor,
  log,
  logicalNot,
  neg,
  relu,
  round,
  sigmoid,
  sign,
  sin,
  sqrt,
  stopGradient,
  tanh,
} from "./unary.ts";
import { where } from "./where.ts";
import { winogradConv2d, winogradConv2dWeightGrad, winogradWeights } from "./winograd.ts";
import { winogradImage, winogradKernels, winogradTiles } from "./winograd-matrices.ts";

export const ops = {
  // leaf
  input,
  param,
  state,
  slot,
  counter,
  prepared,
  dense,
  stored,
  // creation
  full,
  iota,
  randomNumber,
  // elementwise
  neg,
  abs,
  sign,
  sqrt,
  exp,
  log,
  sin,
  cos,
  tanh,
  erf,
  floor,
  ceil,
  round,
  logicalNot,
  sigmoid,
  relu,
  cast,
  add,
  sub,
  mul,
  div,
  mod,
  minimum,
  maximum,
  pow,
  less,
  lessEqual,
  equal,
  notEqual,
  logicalAnd,
  logicalOr,
  where,
  // view
  reshape,
  permute,
  slice,
  pad,
  broadcast,
  concat,
  take,
  // copy
  relayout,
  // fold
  reduceSum,
  reduceMax,
  reduceMin,
  reduceProd,
  argmax,
  argmin,
  collect,
  maxPool2d,
  maxPool2dWinner,
  maxPool2dGrad,
  avgPool2d,
  avgPool2dGrad,
  maxPool3d,
  maxPool3dWinner,
  maxPool3dGrad,
  avgPool3d,
  avgPool3dGrad,
  winogradWeights,
  // contraction
  matmul,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  conv2dWeightGradParts,
  conv3d,
  conv3dInputGrad,
  conv3dWeightGrad,
  winogradConv2d,
  winogradConv2dWeightGrad,
  winogradTiles,
  winogradKernels,
  winogradImage,
  // composite
  stopGradient,
  takeGrad,
  gather,
  randomUniform,
  randomNormal,
  maxPool2dIndex,
  maxPool3dIndex,
  mean,
  variance,
  softmax,
  logSoftmax,
  oneHot,
  // opaque
  gradient,
} as const;

/** By the name in text. */
export const opByName: ReadonlyMap<string, Op> = new Map(Object.values(ops).map((op) => [op.schema.name, op]));
