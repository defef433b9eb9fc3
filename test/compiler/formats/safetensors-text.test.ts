/** Header texts that `JSON.parse` takes and the format does not. */
import { expect, test } from "vitest";
import { headerFault } from "../../../compiler/formats/safetensors-text.ts";

const tensor = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';

test.each([
  ["a tensor twice", `{"a":${tensor},"b":${tensor},"a":${tensor}}`, 'the key "a" twice'],
  ["a tensor twice, spelled differently", `{"a":${tensor},"\\u0061" :${tensor}}`, 'the key "a" twice'],
  ["a property twice", '{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}', 'the key "dtype" twice'],
  ["metadata twice", '{"__metadata__":{"k":"1","k":"1"}}', 'the key "k" twice'],
  ["an offset with a point", '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1.0]}}', "the number 1.0 of a data_offsets is not"],
  ["an offset with an exponent", '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1e0]}}', "the number 1e0 of a data_offsets is not"],
  ["an extent below zero that is zero", '{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}', "the number -0 of a shape is not"],
])("%s is found", (_, text, fault) => {
  expect(() => JSON.parse(text)).not.toThrow();
  expect(headerFault(text)).toContain(fault);
});

test("what only looks wrong is not", () => {
  const metadata = '{"a":"{\\"b\\":1,\\"b\\":2}","b\\\\":":","c":"a","d":"1.5"}';
  const property = '{"dtype":"U8","scale":0.5,"shape":[0, 10],\n"data_offsets" : [0,0]}';
  expect(headerFault(`{"__metadata__":${metadata},"a":${tensor},"dtype":${tensor},"__proto__":${property}}  `)).toBeNull();
});
