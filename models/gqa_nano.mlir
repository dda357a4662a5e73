// LLaMA-GQA nano: grouped-query attention with two groups, for tests and demos, tokens are bytes.
t6.model @gqa_nano uses @gqa {
  vocab = 257, layers = 4, width = 128, ffn = 341, context_length = 256,
  sizes = {G = 2, J = 3, D = 32}}
