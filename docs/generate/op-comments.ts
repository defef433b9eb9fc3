/** What the comment above each operation of `ir/ops/` says, by its key in the list of operations. */
import { join } from "node:path";
import {
  type BindingElement,
  type JSDocableNode,
  Node,
  Project,
  type SourceFile,
  type VariableDeclaration,
  type VariableStatement,
} from "ts-morph";

const folder = join(import.meta.dirname, "../../ir/ops");

/** An operation is `export const relu = ...`, or the part `pool` of `export const { pool: maxPool2d } = maxPooling(2)`. */
export function operationComments(): ReadonlyMap<string, string> {
  const project = new Project({ skipAddingFilesFromTsConfig: true, skipLoadingLibFiles: true });
  const comments = new Map<string, string>();
  for (const file of project.addSourceFilesAtPaths(`${folder}/*.ts`)) {
    for (const statement of file.getVariableStatements().filter((s) => s.isExported())) {
      for (const declaration of statement.getDeclarations()) {
        for (const [name, comment] of commentsOf(file, statement, declaration)) if (comment) comments.set(name, comment);
      }
    }
  }
  return comments;
}

function commentsOf(file: SourceFile, statement: VariableStatement, declaration: VariableDeclaration): readonly [string, string | null][] {
  const pattern = declaration.getNameNode();
  if (!Node.isObjectBindingPattern(pattern)) return [[declaration.getName(), commentOf(statement)]];
  const made = declaration.getInitializer();
  const maker = Node.isCallExpression(made) ? file.getFunction(made.getExpression().getText()) : undefined;
  return pattern.getElements().map((element) => {
    const inner = maker?.getVariableStatement((s) => s.getDeclarations()[0]?.getName() === partOf(element));
    return [element.getName(), inner ? commentOf(inner) : null];
  });
}
const partOf = (element: BindingElement): string => element.getPropertyNameNode()?.getText() ?? element.getName();
const commentOf = (node: JSDocableNode): string | null => node.getJsDocs().at(-1)?.getDescription().trim().replace(/\s+/g, " ") ?? null;
