/** The register tile of sums of products: what graphs pack operands for, and schedules make loops of. */

/** Rows of a tile, and vectors of four columns: 8 accumulators fit the registers of every engine. */
export const tileRows = 4;
export const tileVectors = 2;
/** Columns of a panel, in which an operand lies for a tile. */
export const panelColumns = 4 * tileVectors;
