#!/bin/bash
# Whatever is wrong ends in one sentence with the place, the exit code of its kind, and nothing half-written.
source tests/end_to_end/shell_test.sh

tiny=$data/t6_tiny
weights=(--weights "$tiny/weights.safetensors")
python3 "$here/loss_inputs.py" "$tiny/reference.safetensors" inputs.safetensors
"$tpa_opt" "$tiny/config.json" -o tiny.t6x

echo "== tpa-opt: model definitions"
compile() { # code pattern file flags...
  local code=$1 pattern=$2
  shift 2
  refuse "$code" "$pattern" "$tpa_opt" "$@" -o out.t6x
}
printf 't6.model @x uses @tpa {\n  vocab = 3, layers = \n}\n' >malformed.mlir
compile 1 '^malformed.mlir:2:[0-9]+: error: expected' malformed.mlir
printf '\nt6.model @x uses @other {vocab = 3, layers = 1, width = 16, ffn = 16, context_length = 4, sizes = {H = 2, D = 8}}\n' >unknown.mlir
compile 1 '^unknown.mlir:2:1: error: .*@other.*the library has .*tpa' unknown.mlir
attention() { # pattern score value key [operand]: a function that cannot be an attention, refused at its own line
  cat >own.mlir <<M
t6.model @own uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}
func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %k = tpa.einsum "$4"(%x, %x) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %o = tpa.attention ["$2"](%x, ${5:-%k}) value "$3"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}
M
  compile 1 "^own.mlir:$1" own.mlir
}
attention '5:8: error: .*label .d. of equation "bnd,bmz->bnm" is unknown' 'bnd,bmz->bnm' 'bnm,bme->bne' 'bnd,bnd->bnd'
attention '5:8: error: .*no factor .* has the key index m' 'bnd,bnd->bnm' 'bnm,bme->bne' 'bnd,bnd->bnd'
attention '5:8: error: .*no value factor has the key index m' 'bnd,bmd->bnm' 'bnm,bne->bne' 'bnd,bnd->bnd'
attention '5:8: error: .*cannot depend on the value side' 'bnd,bmd->bnm' 'bnm,bme->bne' 'bnd,bnd->bnd' %o
attention '4:8: error: .*pairs tokens.*what is cached' 'bnd,bmd->bnm' 'bnm,bme->bne' 'bnd,bmd->bmd'
: >empty.mlir
compile 1 '^empty.mlir:.*nothing to run' empty.mlir
compile 1 "cannot open input file 'absent.mlir'" absent.mlir
compile 1 "cannot open input file '.'" .
if [[ $(id -u) != 0 ]]; then
  echo '{}' >secret.json
  chmod 000 secret.json
  compile 1 "cannot open input file 'secret.json': Permission denied" secret.json
  chmod 644 secret.json
fi

echo "== tpa-opt: configs"
config() { # case sed-program pattern
  sed "$2" "$data/$1/config.json" >config.json
  compile 1 "$3" config.json
}
config t6_tiny 's/"rank": 2/"rank": 0/' '^config.json:6:[0-9]+: error: "rank" is 0'
config t6_tiny 's/"q_rank": 3/"q_rank": -1/' '^config.json:7:[0-9]+: error: "q_rank" is -1'
config t6_tiny 's/"n_head": 6/"n_head": 0/' '^config.json:4:[0-9]+: error: "n_head" is 0'
config t6_tiny 's/"head_dim": 16/"head_dim": 15/' '^config.json:5:[0-9]+: error: "head_dim".*rotary width 15'
config t6_tiny 's/"rank": 2/"rank": "two"/' '^config.json:6:[0-9]+: error: "rank" is "two"'
config t6_tiny 's/"rank": 2/"rank": 1e99/' '^config.json:6:[0-9]+: error: "rank"'
config t6_tiny 's/"n_embd": 48/"n_embd": 4800000000000/' '^config.json:8:[0-9]+: error: "n_embd"'
config gqa_tiny 's/"group_size": 3/"group_size": 4/' '^config.json:[0-9]+:[0-9]+: error: "n_head" is 6.*group_size = 4'
config mla_tiny 's/"qk_rope_head_dim": 8/"qk_rope_head_dim": 7/' '^config.json:[0-9]+:[0-9]+: error: .*rotary width 7'
config llama_tiny 's/"num_key_value_heads": 2/"num_key_value_heads": 4/' '^config.json:[0-9]+:[0-9]+: error: .*num_key_value_heads = 4'
config t6_tiny 's/}//' '^config.json:[0-9]+:[0-9]+: error: the file is not JSON'
config t6_tiny 's/n_embd/width/; s/block_size/length/; s/rank/r/' '^config.json:.*HINT: '
compile 1 '^config.json:.*architecture' config.json --arch=transformer

echo "== tpa-opt: options"
cp "$tiny/config.json" config.json
compile 2 '^tpa-opt: error: --compile-from=fast is no phase. HINT: the phases are input, ' config.json --compile-from=fast
refuse 2 '^tpa-opt: error: --compile-to=fast is no phase. HINT: ' "$tpa_opt" config.json --compile-to=fast
compile 2 "unknown CPU 'z80'. HINT: " config.json --cpu=z80
compile 2 "CPU 'x86-64' has no AVX2" config.json --cpu=x86-64
compile 2 '--target=cuda is not supported' config.json --target=cuda
compile 2 '--dtype=f64 is not supported' config.json --dtype=f64
compile 2 '--weights=int8 is not supported with --train, which keeps weights in f32. HINT:' config.json --train --weights=int8
compile 2 '--weights=bf16 is not supported with --train.*--dtype=bf16 computes in bf16' config.json --train --dtype=bf16 --weights=bf16
compile 2 '--weights=int8 is not supported with --train' config.json --entries=apply_adamw --dtype=bf16 --weights=int8
compile 2 '--batch=0 ' config.json --batch=0
compile 2 "'two' value invalid" config.json --batch=two
compile 2 "'--bach=2'. HINT: did you mean --batch=2" config.json --bach=2
compile 2 '--max-length=-1 ' config.json --max-length=-1
compile 2 '--prefill-chunk=0 ' config.json --prefill-chunk=0
compile 2 '--entries=lose ' config.json --entries=lose
compile 2 '--entries=verify needs the number of tokens' config.json --entries=verify
compile 2 '--verify-tokens=65 is not from 0 to 64' config.json --verify-tokens=65
compile 2 '--page-tokens=48 is no power of two from 16 to .*HINT: use --page-tokens=64' config.json --page-tokens=48
compile 2 '--linear-state=maybe is not supported. HINT: use auto, on or off' config.json --linear-state=maybe
compile 2 '--page-tokens=8 is no power of two' config.json --page-tokens=8
compile 2 '--page-tokens=-64 is no power of two' config.json --page-tokens=-64
compile 2 '--cache-tokens=-1 is negative' config.json --cache-tokens=-1
compile 2 '--cache-tokens=64 needs pages: .*--page-tokens=0' config.json --cache-tokens=64 --page-tokens=0
compile 1 'a cache of 80 tokens: each row is in one piece' config.json --cache-tokens=80
compile 1 'a cache of 15 tokens: a page has 16' config.json --page-tokens=16 --cache-tokens=15
compile 1 'a cache of 65 tokens: all rows at their longest take 64' config.json --page-tokens=16 --cache-tokens=65
compile 1 'more than 2147483646 pages' config.json --batch=16777216 --max-length=16777216
compile 2 '--compile-to prints IR' config.json --compile-to=linalg
compile 1 '64 bits' config.json --batch=16777216 --max-length=16777216 --page-tokens=0 --fuse=off

echo "== tpa-opt: outputs"
refuse 1 'cannot write /nonexistent/x.t6x' "$tpa_opt" config.json -o /nonexistent/x.t6x
refuse 1 'cannot write /nonexistent/x.mlir' "$tpa_opt" config.json --compile-to=linalg -o /nonexistent/x.mlir
refuse 1 'cannot write /dev/full' "$tpa_opt" config.json --compile-to=linalg -o /dev/full
# What was there stays when the new file cannot be made. Logs are below the limits.
echo old | tee out.t6x >out.mlir
for kilobytes in 8 100; do
  limited "$kilobytes" 1 'cannot write .*: File too large' "$tpa_opt" config.json -o out.t6x
done
limited 8 1 'cannot write .*out.mlir: File too large' "$tpa_opt" config.json --compile-to=linalg -o out.mlir
refuse 1 '^malformed.mlir:2:' "$tpa_opt" malformed.mlir -o out.mlir
refuse 1 '^malformed.mlir:2:' "$tpa_opt" malformed.mlir -o out.t6x

echo "== t6: artifacts"
for kind in rewritten truncated flipped hash schema offset cpu compressed; do
  python3 "$here/break_artifact.py" tiny.t6x "$kind" "$kind.t6x"
done
generate() { # code pattern artifact flags...
  local code=$1 pattern=$2 artifact=$3
  shift 3
  refuse "$code" "$pattern" "$t6" generate "$artifact" "${weights[@]}" "$@"
}
succeed "$t6" generate rewritten.t6x "${weights[@]}" --tokens 1 -n 1 # the damage is what is refused, not the tool that made it
generate 3 '^t6: error: truncated.t6x: ' truncated.t6x --tokens 1
generate 3 "^t6: error: flipped.t6x: .*'kernels.so'" flipped.t6x --tokens 1
generate 3 '^t6: error: hash.t6x: .*kernels.so.*hash' hash.t6x --tokens 1
generate 3 '^t6: error: schema.t6x: .*99' schema.t6x --tokens 1
generate 3 '^t6: error: offset.t6x: program.json: entries\[0\].dispatches\[0\].bindings\[0\]' offset.t6x --tokens 1
generate 3 '^t6: error: cpu.t6x: .*avx9000' cpu.t6x --tokens 1
generate 3 '^t6: error: compressed.t6x: ' compressed.t6x --tokens 1
generate 3 '^t6: error: empty.mlir: ' empty.mlir --tokens 1
generate 1 '^t6: error: absent.t6x: ' absent.t6x --tokens 1
refuse 3 'check.so' "$t6" check tiny.t6x

echo "== t6: prompts and weights"
generate 2 'prompt 0 has 65 tokens.*maximum length 64' tiny.t6x --tokens "$(seq -s, 1 65)"
generate 2 'the token 96 at index 1' tiny.t6x --tokens 1,96
generate 2 'the token -1' tiny.t6x --tokens -1
generate 2 '2 prompts' tiny.t6x --tokens 1 --tokens 2
# Rows that share too few pages: for their prompts, for what follows, and to have a table of their own.
"$tpa_opt" "$tiny/config.json" --batch=2 --page-tokens=16 --cache-tokens=80 -o pool.t6x
generate 2 'the prompts take 6 pages of 16 tokens, and the cache of pool.t6x has 5. HINT: .*--cache-tokens=96 or more' \
  pool.t6x --tokens "$(seq -s, 1 49)" --tokens "$(seq -s, 1 17)"
generate 1 'the cache is full: row 1 needs 1 more page of 16 tokens to hold 33, and 0 of 5 are free. HINT: .*--cache-tokens than 80' \
  pool.t6x --tokens "$(seq -s, 1 30)" --tokens "$(seq -s, 1 30)" -n 30 --seed 1
refuse 1 'the cache is full: row 1 needs 3 more pages of 16 tokens to hold 40' "$t6" bench pool.t6x --random-weights -n 1 -d 40
python3 - decode.safetensors <<'P'
import json, struct, sys
header = json.dumps({name: {"dtype": "I32", "shape": shape, "data_offsets": [8 * i, 8 * i + 8]}
                     for i, (name, shape) in enumerate([("tokens", [2, 1]), ("positions", [2])])}).encode()
open(sys.argv[1], "wb").write(struct.pack("<Q", len(header)) + header + bytes(16))
P
refuse 2 "the cache has 5 pages, too few to give each of 2 rows its own 4. HINT: .*'pages'" \
  "$t6" run pool.t6x --entry decode "${weights[@]}" --inputs decode.safetensors --outputs out.safetensors
refuse 3 'transformer.h.0' "$t6" generate tiny.t6x --weights "$data/llama_tiny/weights.safetensors" --tokens 1
refuse 3 'c_qkv' "$t6" generate tiny.t6x --weights "$data/mha_tiny/weights.safetensors" --tokens 1
refuse 3 'c_qkv.*shape' "$t6" generate tiny.t6x --weights "$data/t6_kvonly_tiny/weights.safetensors" --tokens 1
head -c 100000 "$tiny/weights.safetensors" >cut.safetensors
refuse 3 '^t6: error: cut.safetensors: ' "$t6" generate tiny.t6x --weights cut.safetensors --tokens 1
# No integer stands for what is not finite.
"$tpa_opt" "$tiny/config.json" --batch=2 --entries=loss --weights=int8 -o int8.t6x
for value in nan inf -inf; do
  python3 - "$tiny/weights.safetensors" not_finite.safetensors "$value" <<'P'
import json, struct, sys
path, out, value = sys.argv[1:]
data = bytearray(open(path, "rb").read())
size = struct.unpack("<Q", data[:8])[0]
begin, end = json.loads(data[8 : 8 + size])["transformer.h.1.attn.c_proj.weight"]["data_offsets"]
struct.pack_into("<f", data, 8 + size + end - 4, float(value))
open(out, "wb").write(data)
P
  refuse 3 '"transformer.h.1.attn.c_proj.weight" has an element in row 47 that is not finite' \
    "$t6" run int8.t6x --entry loss --weights not_finite.safetensors --inputs inputs.safetensors --outputs out.safetensors
done

echo "== t6: files and outputs"
loss=("$t6" run tiny.t6x --entry loss "${weights[@]}")
refuse 2 "inputs.safetensors: entry 'loss': input 'tokens'" "${loss[@]}" --inputs inputs.safetensors --outputs out.safetensors
"$tpa_opt" "$tiny/config.json" --batch=2 -o tiny.t6x
# Tokens past the end of this run, although within the chunk.
python3 - last.safetensors <<'P'
import json, struct, sys
values = {"tokens": ([2, 3], [1] * 6), "positions": ([2], [0, 0]), "last": ([2], [2, 3])}
data, header = b"", {}
for name, (shape, numbers) in values.items():
    begin = len(data)
    data += struct.pack(f"<{len(numbers)}i", *numbers)
    header[name] = {"dtype": "I32", "shape": shape, "data_offsets": [begin, len(data)]}
text = json.dumps(header).encode()
open(sys.argv[1], "wb").write(struct.pack("<Q", len(text)) + text + data)
P
refuse 2 "last.safetensors: entry 'prefill': input 'last' has the value 3 at index 1, not in \[0, 3\)" \
  "$t6" run tiny.t6x --entry prefill "${weights[@]}" --inputs last.safetensors --outputs out.safetensors
refuse 1 'cannot write /dev/full' "${loss[@]}" --inputs inputs.safetensors --outputs /dev/full
refuse 1 'cannot write /nonexistent/o' "${loss[@]}" --inputs inputs.safetensors --outputs /nonexistent/o
refuse 1 'absent.safetensors' "${loss[@]}" --inputs absent.safetensors --outputs out.safetensors
echo old >out.safetensors
limited 8 1 'kernels.so: cannot be copied to memory: File too large' "${loss[@]}" --inputs inputs.safetensors --outputs out.safetensors
head -c 30000 /dev/zero | tr '\0' a >text.txt
"$t6" tokenize bytes text.txt text.bin
limited 8 1 'cannot write .*out.bin: File too large' "$t6" tokenize bytes text.txt out.bin
refuse 3 '^t6: error: text.bin: .*97' "$t6" eval tiny.t6x "${weights[@]}" --data text.bin
refuse 3 '^t6: error: text.txt: ' "$t6" convert text.txt out.safetensors
code=0
"$t6" info tiny.t6x >/dev/full 2>"$log/err" || code=$?
[[ $code == 1 ]] && grep -q 'cannot write to stdout: No space left' "$log/err" || fail "a full disk behind stdout: $code"

finish
