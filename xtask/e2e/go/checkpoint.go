package main

import (
	"encoding/base64"
	"os"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkpoint is the signed head of a tree. (tlog.ParseTree reads only the form of Go's own checksum database.)
type checkpoint struct {
	origin string
	tree   tlog.Tree
}

// readKey reads a verifier key from a file.
func readKey(file string) (note.Verifier, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(strings.TrimSpace(string(text)))
}

// openCheckpoint reads a checkpoint that this key has signed, and whose origin is the key's name.
func openCheckpoint(signed []byte, key note.Verifier) (checkpoint, error) {
	opened, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return checkpoint{}, refuse("the checkpoint: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return checkpoint{}, refuse("the checkpoint has too few lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return checkpoint{}, refuse("the checkpoint's size is `%s`", lines[1])
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return checkpoint{}, refuse("the checkpoint's root: %v", err)
	}
	if lines[0] != key.Name() {
		return checkpoint{}, refuse("the checkpoint is of the log `%s`", lines[0])
	}
	return checkpoint{lines[0], tlog.Tree{N: size, Hash: root}}, nil
}

// parseHash reads 32 bytes in base64, in the one spelling that they have.
func parseHash(line string) (tlog.Hash, error) {
	var hash tlog.Hash
	bytes, err := base64.StdEncoding.Strict().DecodeString(line)
	if err != nil || len(bytes) != len(hash) || base64.StdEncoding.EncodeToString(bytes) != line {
		return hash, refuse("`%s` is no hash", line)
	}
	copy(hash[:], bytes)
	return hash, nil
}

// readCheckpoints opens checkpoints from files and puts them into the order of their sizes.
func readCheckpoints(files []string, key note.Verifier) ([]checkpoint, error) {
	var found []checkpoint
	for _, file := range files {
		signed, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		opened, err := openCheckpoint(signed, key)
		if err != nil {
			return nil, err
		}
		found = append(found, opened)
	}
	sort.SliceStable(found, func(a, b int) bool { return found[a].tree.N < found[b].tree.N })
	return found, nil
}
