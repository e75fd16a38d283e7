# A server gets the ministry's title, footer and style sheet from a file, which is written out again, and all of it taken back.
export DHIS2_PROFILE=sandbox
cat > look.yaml <<'YAML'
settings:
  applicationTitle: Ministry of Health
  keyApplicationFooter: Directorate of planning
style: ministry.css
YAML
echo '#header { background-color: #006b3f }' > ministry.css
dhis2 customize apply look.yaml --dry-run
dhis2 customize apply look.yaml --yes
dhis2 customize show --out saved.yaml
diff ministry.css saved.css && grep applicationTitle saved.yaml
dhis2 undo --yes
dhis2 customize show | grep -e applicationTitle -e '^style'
