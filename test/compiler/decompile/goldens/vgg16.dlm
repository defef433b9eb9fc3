model VGG16(image: f32[1, 3, 224, 224]) -> logits {
  x = image |> features.0: Conv2d(64, kernel=3, padding=1) |> relu
            |> features.2: Conv2d(64, kernel=3, padding=1) |> relu |> max_pool(2)
  x = x |> features.5: Conv2d(128, kernel=3, padding=1) |> relu
        |> features.7: Conv2d(128, kernel=3, padding=1) |> relu |> max_pool(2)
  x = x |> features.10: Conv2d(256, kernel=3, padding=1) |> relu
        |> features.12: Conv2d(256, kernel=3, padding=1) |> relu
        |> features.14: Conv2d(256, kernel=3, padding=1) |> relu |> max_pool(2)
  x = x |> features.17: Conv2d(512, kernel=3, padding=1) |> relu
        |> features.19: Conv2d(512, kernel=3, padding=1) |> relu
        |> features.21: Conv2d(512, kernel=3, padding=1) |> relu |> max_pool(2)
  x = x |> features.24: Conv2d(512, kernel=3, padding=1) |> relu
        |> features.26: Conv2d(512, kernel=3, padding=1) |> relu
        |> features.28: Conv2d(512, kernel=3, padding=1) |> relu |> max_pool(2)
  logits = x |> flatten |> classifier.0: Linear(4096) |> relu |> dropout
             |> classifier.3: Linear(4096) |> relu |> dropout |> classifier.6: Linear(1000)
}
