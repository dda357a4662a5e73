// LLaMA-MQA nano: multi-query attention, for tests and demos, tokens are bytes.
t6.model @mqa_nano uses @gqa {
  vocab = 257, layers = 4, width = 128, ffn = 341, context_length = 256,
  sizes = {G = 1, J = 7, D = 32}}
