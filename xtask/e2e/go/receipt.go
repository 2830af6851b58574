package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// opening is what a receipt carries beside the proof: the entry, and the salt of its leaf where that only commits to it.
type opening struct {
	Entry string  `json:"entry"`
	Salt  *string `json:"salt"`
}

// entry is what is asked of every entry that was published.
type entry struct {
	Kind    string `json:"kind"`
	Skill   string `json:"skill"`
	Version string `json:"version"`
	Time    string `json:"time"`
}

// checkReceipts verifies proofs of the form c2sp.org/tlog-proof@v1 without asking anybody.
func checkReceipts(keyFile string, files []string) (string, error) {
	key, err := readKey(keyFile)
	if err != nil {
		return "", err
	}
	hidden := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		isHidden, err := checkReceipt(text, key)
		if err != nil {
			return "", fmt.Errorf("%w (%s)", err, file)
		}
		if isHidden {
			hidden++
		}
	}
	return fmt.Sprintf("%d receipts, %d of them of hidden entries", len(files), hidden), nil
}

func checkReceipt(text []byte, key note.Verifier) (isHidden bool, err error) {
	head, signed, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return false, refuse("this is no proof")
	}
	extra, hasExtra := cutPrefix(lines[1], "extra ")
	number, hasIndex := cutPrefix(lines[2], "index ")
	index, err := strconv.ParseInt(number, 10, 64)
	if !hasExtra || !hasIndex || err != nil {
		return false, refuse("the proof has no entry or no index")
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := parseHash(line)
		if err != nil {
			return false, err
		}
		proof = append(proof, hash)
	}
	under, err := openCheckpoint(signed, key)
	if err != nil {
		return false, err
	}
	leaf, isHidden, err := leafOf(extra)
	if err != nil {
		return false, err
	}
	tree := under.tree
	if index < 0 || index >= tree.N {
		return false, refuse("a tree of size %d has no entry %d", tree.N, index)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return false, refuse("entry %d under size %d: %v", index, tree.N, err)
	}
	return isHidden, nil
}

// leafOf makes the leaf from the opening: the entry itself, or the commitment to it.
func leafOf(extra string) (leaf []byte, isHidden bool, err error) {
	encoded, err := base64.StdEncoding.Strict().DecodeString(extra)
	if err != nil {
		return nil, false, refuse("the opening: %v", err)
	}
	var found opening
	if err := json.Unmarshal(encoded, &found); err != nil {
		return nil, false, refuse("the opening: %v", err)
	}
	var said entry
	if err := json.Unmarshal([]byte(found.Entry), &said); err != nil {
		return nil, false, refuse("the entry: %v", err)
	}
	if said.Kind != "version.published" || said.Skill == "" || said.Version == "" {
		return nil, false, refuse("the entry publishes nothing: %s", found.Entry)
	}
	if found.Salt == nil {
		return []byte(found.Entry), false, nil
	}
	salt, err := hex.DecodeString(*found.Salt)
	if err != nil || len(salt) != sha256.Size {
		return nil, false, refuse("the salt is `%s`", *found.Salt)
	}
	commitment := sha256.Sum256(append(salt, found.Entry...))
	return []byte(fmt.Sprintf(`{"commitment":"%x","time":"%s","v":1}`, commitment, said.Time)), true, nil
}

// cutPrefix is strings.CutPrefix, which is newer than the Go of Debian 12.
func cutPrefix(text, prefix string) (string, bool) {
	return strings.TrimPrefix(text, prefix), strings.HasPrefix(text, prefix)
}
