package main

import (
	"bytes"
	"fmt"
	"os"
)

// checkFork reads the evidence that a client writes, and says whether it proves that the holder of the key has signed two
// histories. It believes nothing in the file but the two notes: the key comes from elsewhere.
func checkFork(keyFile, evidenceFile string) (string, error) {
	key, err := readKey(keyFile)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(evidenceFile)
	if err != nil {
		return "", err
	}
	_, notes, hasFirst := bytes.Cut(text, []byte("---- first ----\n"))
	first, second, hasSecond := bytes.Cut(notes, []byte("\n---- second ----\n"))
	if !hasFirst || !hasSecond {
		return "", refuse("the file has no two notes")
	}
	one, err := openCheckpoint(first, key)
	if err != nil {
		return "", err
	}
	other, err := openCheckpoint(second, key)
	if err != nil {
		return "", err
	}
	if one.tree.N != other.tree.N {
		return "", refuse("sizes %d and %d may well be of one log; only its tiles can tell", one.tree.N, other.tree.N)
	}
	if one.tree.Hash == other.tree.Hash {
		return "", refuse("both are the same tree of size %d", one.tree.N)
	}
	return fmt.Sprintf("two roots for size %d, both signed by `%s`", one.tree.N, key.Name()), nil
}
