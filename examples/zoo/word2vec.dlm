## word2vec (Mikolov et al. 2013, "Distributed Representations of Words and Phrases"): skip-gram with negative sampling. Words
## get vectors such that a word's vector tells its neighbours from words drawn at random; similar words end up close.

## Skip-gram with negative sampling: predicting gives the vectors of words. The other matrix, of the words as neighbours,
## exists in training only.
model Word2Vec(center: i32[N], vocab = 10_000, dim = 100) -> vector {
  vector = center |> embedding: Embedding(vocab, dim, init=uniform(-0.5 / dim, 0.5 / dim))
}

## For each pair; the loss is a mean over the N pairs of a batch.
const rate = 0.025

## `negatives` drawn evenly for each pair; 5 to 20 for small corpora, 2 to 5 for large ones.
train Word2Vec {
  ## A word from the neighbourhood of `center`.
  input context: i32[N]
  param context_embedding.weight as contexts: f32[vocab, dim] = zeros
  loss = negative_sampling(vector, contexts, context, negatives=5)
  optimizer = sgd(lr=rate * N)
}

## The same with words drawn by the data pipeline: the paper draws by frequency to the power 0.75.
train drawn: Word2Vec {
  input context: i32[N]
  ## Words that are no neighbours, K for each pair.
  input noise: i32[N, K = 5]
  param context_embedding.weight as contexts: f32[vocab, dim] = zeros
  loss = negative_sampling(vector, contexts, context, negatives=noise)
  optimizer = sgd(lr=rate * N)
}
