/** What is measured: the same model, shapes, weights and inputs for every library. */
export interface Work {
  readonly name: string;
  readonly title: string;
  readonly kind: "inference" | "training";
  /** From the root of the repository. */
  readonly file: string;
  readonly model: string;
  readonly batch: number;
  /** Sizes of further dimensions, where they are not those of the model. */
  readonly dims?: Readonly<Record<string, number>>;
}

const zoo = (name: string, title: string, family: string, model: string): Work => ({
  name,
  title,
  kind: "inference",
  file: `examples/zoo/${family}.dlm`,
  model,
  batch: 1,
});
const own = (name: string, title: string, kind: Work["kind"], model: string): Work => ({
  name,
  title,
  kind,
  file: "test/bench/models/training.dlm",
  model,
  batch: 32,
});

export const works: readonly Work[] = [
  zoo("vgg16", "VGG-16", "vgg", "VGG16"),
  zoo("unet", "U-Net, 256x256", "unet", "UNet"),
  zoo("resnet18", "ResNet-18", "resnet", "ResNet18"),
  zoo("resnet50", "ResNet-50", "resnet", "ResNet50"),
  zoo("googlenet", "GoogLeNet", "googlenet", "GoogLeNet"),
  zoo("alexnet", "AlexNet", "alexnet", "AlexNet"),
  zoo("mobilenet1", "MobileNet V1", "mobilenet", "MobileNetV1"),
  zoo("mobilenet2", "MobileNet V2", "mobilenet", "MobileNetV2"),
  {
    name: "block",
    title: "GPT-2 block, 256 tokens",
    kind: "inference",
    file: "test/bench/models/block.dlm",
    model: "GPTBlock",
    batch: 1,
  },
  own("lenet", "LeNet, batch 32", "inference", "LeNet"),
  own("mlp", "MLP 784-512-512-10, batch 32", "inference", "MLP"),
  own("lenet-step", "LeNet, step of batch 32", "training", "LeNet"),
  own("resnet20-step", "ResNet-20, step of batch 32", "training", "SmallResNet"),
  own("mlp-step", "MLP 784-512-512-10, step of batch 32", "training", "MLP"),
];

/** As in models/training.dlm. */
export const momentum = { rate: 0.01, momentum: 0.9 } as const;
export const classes = 10;
