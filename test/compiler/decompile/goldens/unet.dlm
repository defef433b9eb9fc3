layer ConvBlock(x: f32[N, C, H, W], channels: int) {
  return x |> conv1: Conv2d(channels, kernel=3, padding=1, bias=false) |> bn1: BatchNorm |> relu
           |> conv2: Conv2d(channels, kernel=3, padding=1, bias=false) |> bn2: BatchNorm |> relu
}

model UNet(image: f32[1, 3, 256, 256]) -> logits {
  skip1 = image |> down1: ConvBlock(64)
  skip2 = skip1 |> max_pool(2) |> down2: ConvBlock(128)
  skip3 = skip2 |> max_pool(2) |> down3: ConvBlock(256)
  skip4 = skip3 |> max_pool(2) |> down4: ConvBlock(512)
  x = skip4 |> max_pool(2) |> bottom: ConvBlock(1024)
  x = x |> up4.grow: ConvTranspose2d(512, kernel=2, stride=2)
  x = concat([skip4, x], axis=1) |> up4.double: ConvBlock(512)
  x = x |> up3.grow: ConvTranspose2d(256, kernel=2, stride=2)
  x = concat([skip3, x], axis=1) |> up3.double: ConvBlock(256)
  x = x |> up2.grow: ConvTranspose2d(128, kernel=2, stride=2)
  x = concat([skip2, x], axis=1) |> up2.double: ConvBlock(128)
  x = x |> up1.grow: ConvTranspose2d(64, kernel=2, stride=2)
  x = concat([skip1, x], axis=1) |> up1.double: ConvBlock(64)
  logits = x |> head: Conv2d(2, kernel=1)
}
