import { existsSync } from "node:fs";
import { defineConfig } from "vitest/config";

const icd = "/usr/lib/chromium/vk_swiftshader_icd.json";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Vitest leaves one core idle, which of two is half of them.
    maxWorkers: "100%",
    // Dawn finds a software adapter through Vulkan's loader; the variables must be set before a worker starts.
    env: existsSync(icd) ? { VK_ICD_FILENAMES: icd, XDG_RUNTIME_DIR: "/tmp" } : {},
  },
});
