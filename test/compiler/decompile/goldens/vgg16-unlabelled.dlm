model VGG16(image: f32[1, 3, 224, 224]) -> logits {
  x = image |> conv1: Conv2d(64, kernel=3, padding=1) |> relu
            |> conv2: Conv2d(64, kernel=3, padding=1) |> relu |> max_pool(2)
  x = x |> conv3: Conv2d(128, kernel=3, padding=1) |> relu |> conv4: Conv2d(128, kernel=3, padding=1) |> relu
        |> max_pool(2)
  x = x |> conv5: Conv2d(256, kernel=3, padding=1) |> relu |> conv6: Conv2d(256, kernel=3, padding=1) |> relu
        |> conv7: Conv2d(256, kernel=3, padding=1) |> relu |> max_pool(2)
  x = x |> conv8: Conv2d(512, kernel=3, padding=1) |> relu |> conv9: Conv2d(512, kernel=3, padding=1) |> relu
        |> conv10: Conv2d(512, kernel=3, padding=1) |> relu |> max_pool(2)
  x = x |> conv11: Conv2d(512, kernel=3, padding=1) |> relu
        |> conv12: Conv2d(512, kernel=3, padding=1) |> relu
        |> conv13: Conv2d(512, kernel=3, padding=1) |> relu |> max_pool(2)
  logits = x |> flatten |> fc1: Linear(4096) |> relu |> dropout |> fc2: Linear(4096) |> relu |> dropout
             |> fc3: Linear(1000)
}
