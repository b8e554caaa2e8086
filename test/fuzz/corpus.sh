#!/bin/sh
# Builds seeds of the fuzzers from test/data, one directory a fuzzer.  Those that
# change whole files (fuzz_image, fuzz_prepared, fuzz_checkpoint) need no files; what such
# a seed changes is one byte of each number in turn.
#
# usage: test/fuzz/corpus.sh DIRECTORY
set -eu

out=$(realpath -m "$1")
cd "$(dirname "$0")/../data"

# The bytes $1 (octal) and file $2 as a seed of fuzzer $3.
seed() {
	mkdir -p "$out/$3"
	{
		printf "$1"
		cat "$2"
	} >"$out/$3/$(echo "$2" | tr '/ ' '__')"
}

for file in models/*/config.json; do seed '' "$file" fuzz_config; done
for file in models/*/*.safetensors; do
	# The header, and what the tensors point to, as far as it is small
	[ "$(wc -c <"$file")" -gt 100000 ] || seed '' "$file" fuzz_safetensors
done
for file in models/*/model.safetensors.index.json; do seed '\000' "$file" fuzz_model; done
for file in models/*/adapter_config.json; do seed '\002' "$file" fuzz_model; done
for file in templates/*.jinja; do seed '' "$file" fuzz_template; done
for file in tokenizer/*.json; do
	case $file in
	*.expected.json | */texts.json | */chats.json | */classes.json) ;;
	*) seed '\000' "$file" fuzz_tokenizer ;;
	esac
done
for file in segmentation/cases.txt segmentation/golden_rules_en.jsonl; do
	seed '' "$file" fuzz_segment
	seed '\003' "$file" fuzz_tokenizer
done
mkdir -p "$out/fuzz_transcript" "$out/fuzz_tokenizer"
printf '\001(?i:\047s|\047t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+' >"$out/fuzz_tokenizer/pattern"
printf '\n\nHuman: Is it?\n\nAssistant: No. It is not.\n\nHuman: Why?\n\nAssistant:' >"$out/fuzz_transcript/two"
printf 'Be brief.\r\n\r\nHuman: Hi\r\n\r\nAssistant: Hello.\r\n' >"$out/fuzz_transcript/lines"
for fuzzer in fuzz_image fuzz_prepared fuzz_checkpoint; do
	mkdir -p "$out/$fuzzer"
	[ "$fuzzer" = fuzz_image ] && first='\000' || first=
	for number in $(seq 0 31); do
		for value in 001 377; do
			printf "$first\\$(printf %o $((number * 8 + 6)))\\000\\000\\000\\$value" >"$out/$fuzzer/$number-$value"
		done
	done
done
